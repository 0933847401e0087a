//! Names of things, one type each, so that a meter can never be passed for a project.
//!
//! Must never: join two ids into one string; structured keys stay structured.

use std::fmt;
use std::sync::Arc;

/// Longest id in bytes. Ids end up in file names, topics and metric labels.
pub const ID_LENGTH_MAX: usize = 64;

/// Why a text is no id. Shown to the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    /// What kind of id was wanted, e.g. `meter`.
    pub kind: &'static str,
    /// The text that was refused, cut to [`ID_LENGTH_MAX`] characters.
    pub text: String,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a {} id: use 1 to {ID_LENGTH_MAX} of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit",
            self.text, self.kind
        )
    }
}

impl std::error::Error for IdError {}

fn valid(text: &str) -> bool {
    let mut bytes = text.bytes();
    let Some(first) = bytes.next() else { return false };
    text.len() <= ID_LENGTH_MAX
        && (first.is_ascii_lowercase() || first.is_ascii_digit())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
        && !text.contains("..")
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text; the form is described by [`IdError`]'s message.
            pub fn new(text: &str) -> Result<Self, IdError> {
                if valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(IdError { kind: $kind, text: text.chars().take(ID_LENGTH_MAX).collect() })
                }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    )*};
}

ids! {
    /// A meter: what is read. Named by the installation.
    MeterId = "meter";
    /// A meter model: a file of the catalogue.
    ModelId = "model";
    /// A funded intervention.
    ProjectId = "project";
    /// A building of a project.
    BuildingId = "building";
    /// A funding call: a file of the catalogue.
    SchemeId = "scheme";
    /// A named, dated, immutable set of conversion factors.
    FactorSetId = "factor set";
    /// A source of outdoor temperatures.
    StationId = "station";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_names_and_refuses_paths() {
        for good in ["boiler-1", "0", "a.b_c"] {
            assert_eq!(MeterId::new(good).map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "A", "a/b", "a..b", "à", &"a".repeat(ID_LENGTH_MAX + 1)] {
            assert!(MeterId::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
