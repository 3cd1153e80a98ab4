//! How much a pipe holds.
//!
//! A pipe holds 64 KiB unless somebody asks for more. Whoever writes faster than that is read has to wait each time, and
//! each wait costs a change of process: much of what large messages and bursts of small ones cost.

use std::os::fd::AsFd;

/// As much as Linux lets every user have by default.
#[cfg(target_os = "linux")]
const SIZE: usize = 1024 * 1024;

/// Lets a pipe hold more where the system can do that. One that stays as it is works all the same: a user may have no
/// more such pipes, and the host may have chosen a size of its own that is larger.
pub(super) fn enlarge(pipe: &impl AsFd) {
    #[cfg(target_os = "linux")]
    {
        use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
        let is_smaller = fcntl_getpipe_size(pipe).is_ok_and(|size| size < SIZE);
        if is_smaller && let Err(error) = fcntl_setpipe_size(pipe, SIZE) {
            tracing::debug!(%error, "a pipe stays as small as it is");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

    #[test]
    fn a_pipe_holds_more_and_never_less() {
        let (_reader, writer) = std::io::pipe().unwrap();
        for before in [4096, 65_536, SIZE] {
            fcntl_setpipe_size(&writer, before).unwrap();
            enlarge(&writer);
            assert_eq!(fcntl_getpipe_size(&writer).unwrap(), SIZE, "{before}");
        }
    }
}
