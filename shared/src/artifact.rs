//! Which of a guest's files are brought back.

use glob::{MatchOptions, Pattern};

use crate::limits::{ARTIFACT_PATTERNS_MAX, PATH_BYTES_MAX};

/// The artifact patterns of a task, checked.
///
/// A pattern is a path below `/`, with or without the leading slash: of a file,
/// of a folder (everything in it is brought back), or with `*`, `?`, `[…]`
/// (within one component) and `**` (any number of components).
#[derive(Debug, Clone, Default)]
pub struct Patterns(Vec<Pattern>);

/// A pattern that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There are too many.
    #[error("{0} artifact patterns are over the limit of {ARTIFACT_PATTERNS_MAX}")]
    TooMany(usize),
    /// One is too long.
    #[error("an artifact pattern of {0} bytes is over the limit of {PATH_BYTES_MAX}")]
    TooLong(usize),
    /// One is malformed.
    #[error("the artifact pattern {pattern:?} is malformed: {reason}")]
    Malformed {
        /// Which.
        pattern: String,
        /// Why.
        reason: &'static str,
    },
}

impl Patterns {
    /// Checks patterns.
    ///
    /// # Errors
    /// If one is malformed or a limit is passed.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        if patterns.len() > ARTIFACT_PATTERNS_MAX {
            return Err(PatternError::TooMany(patterns.len()));
        }
        let parse = |pattern: &S| {
            let text = pattern.as_ref();
            if text.len() > PATH_BYTES_MAX {
                return Err(PatternError::TooLong(text.len()));
            }
            let malformed = |reason| PatternError::Malformed {
                pattern: text.to_owned(),
                reason,
            };
            let path = text.trim_matches('/').trim_start_matches("./");
            if path.split('/').any(|component| component == "..") {
                return Err(malformed("`..` leads out of the guest's root"));
            }
            let path = if path.is_empty() || path == "." {
                "**"
            } else {
                path
            };
            Pattern::new(path).map_err(|error| malformed(error.msg))
        };
        patterns
            .iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the file at `path` (below `/`, no leading slash) is asked for:
    /// itself, or a folder that it is in.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        let ancestors = path.match_indices('/').map(|(at, _)| &path[..at]);
        let mut candidates = core::iter::once(path).chain(ancestors);
        candidates.any(|path| {
            self.0
                .iter()
                .any(|pattern| pattern.matches_with(path, options))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_folders_and_globs_match() {
        let patterns =
            Patterns::new(&["/out.txt", "images/*.png", "logs/", "deep/**/end"]).unwrap();
        for path in [
            "out.txt",
            "images/a.png",
            "logs/a",
            "logs/b/c",
            "deep/end",
            "deep/1/2/end",
        ] {
            assert!(patterns.matches(path), "{path}");
        }
        for path in [
            "out.txt2",
            "images/sub/a.png",
            "log",
            "deep/1/2",
            "a/out.txt",
        ] {
            assert!(!patterns.matches(path), "{path}");
        }
        assert!(Patterns::new(&["/"]).unwrap().matches("anything/at/all"));
    }

    #[test]
    fn bad_patterns_are_named() {
        let error = Patterns::new(&["fine", "a/../../b"]).unwrap_err();
        assert!(error.to_string().contains("a/../../b"), "{error}");
        let error = Patterns::new(&["[a"]).unwrap_err();
        assert!(error.to_string().contains("[a"), "{error}");
        let many = vec!["a"; ARTIFACT_PATTERNS_MAX];
        assert!(Patterns::new(&many).is_ok());
        assert_eq!(
            Patterns::new(&[many.as_slice(), &["a"]].concat()).unwrap_err(),
            PatternError::TooMany(ARTIFACT_PATTERNS_MAX + 1)
        );
        assert!(Patterns::new(&["a".repeat(PATH_BYTES_MAX)]).is_ok());
        assert!(Patterns::new(&["a".repeat(PATH_BYTES_MAX + 1)]).is_err());
    }
}
