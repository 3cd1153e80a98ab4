//! The codes of warnings and failures: stable, for tools.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a code says of the component it is found at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Worth knowing; nothing is lost.
    Note,
    /// Something of the component is not carried over.
    Loss,
    /// The plugin can't be used.
    Failure,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $weight:ident;)*) => {
        /// The kind of a finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it stands in reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            fn weight(self) -> Weight {
                match self { $(Self::$variant => Weight::$weight,)* }
            }
        }
    };
}

codes! {
    /// Frontmatter was not YAML that Codex takes; it was mended.
    FrontmatterRepaired = "frontmatter-repaired", Note;
    /// A description was made from the text.
    DescriptionSynthesized = "description-synthesized", Note;
    /// A description was cut to what Codex shows.
    DescriptionTruncated = "description-truncated", Loss;
}

impl Code {
    /// Whether a component with such a finding is less than it was.
    #[must_use]
    pub fn loses(self) -> bool {
        self.weight() != Weight::Note
    }

    /// Whether a plugin with such a finding can't be used.
    #[must_use]
    pub fn fails(self) -> bool {
        self.weight() == Weight::Failure
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
