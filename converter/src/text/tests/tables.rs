//! Each pass as a table: what goes in, what comes out, what is found.
