//! Files of tokens, and who has which.
//!
//! A line is `NAME:TOKEN` or just `TOKEN`; blank lines and those that start with
//! `#` don't count. Tokens of one name are of one owner, whatever they are for:
//! a new token can be given out before the old one goes.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use wasipool_shared::digest::Digest;

use super::Role;

/// Characters of a token's name.
const NAME_MAX: usize = 64;

/// Requests of one owner, against the limit of a second.
#[derive(Debug)]
pub struct Rate<C: Clock = DefaultClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    per_second: NonZeroU32,
}

impl<C: Clock + Clone> Rate<C> {
    /// As many at once as in a second.
    fn new(per_second: NonZeroU32, clock: C) -> Self {
        let limiter = RateLimiter::direct_with_clock(Quota::per_second(per_second), clock.clone());
        Self {
            limiter,
            clock,
            per_second,
        }
    }

    /// Requests a second.
    #[must_use]
    pub fn per_second(&self) -> u32 {
        self.per_second.get()
    }

    /// Takes one request.
    ///
    /// # Errors
    /// If it is too many: then how long until the next one may come.
    pub fn take(&self) -> Result<(), Duration> {
        let taken = self.limiter.check();
        taken.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

/// Somebody with a token.
#[derive(Debug)]
pub struct Owner {
    /// As the token file calls them; for logs.
    pub name: String,
    /// A number that stays theirs; never 0, which is nobody.
    pub number: u64,
    /// Their requests.
    pub rate: Rate,
}

/// One token, without the token itself.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) role: Role,
    pub(super) digest: Digest,
    pub(super) owner: Arc<Owner>,
}

/// Reads token files.
#[derive(Debug)]
pub(super) struct Reader {
    owners: HashMap<u64, Arc<Owner>>,
    per_second: NonZeroU32,
}

impl Reader {
    /// Each owner gets `per_second` requests a second.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self {
            owners: HashMap::new(),
            per_second,
        }
    }

    /// The tokens of a file.
    ///
    /// # Errors
    /// If it can't be read, holds no token, or a line that is none.
    pub(super) fn file(&mut self, role: Role, path: &Path) -> anyhow::Result<Vec<Token>> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the token file {shown} can't be read"))?;
        let mut tokens = Vec::new();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if !line.is_empty() && !line.starts_with('#') {
                let token = self.line(role, at + 1, line);
                tokens.push(token.with_context(|| format!("the token file {shown}"))?);
            }
        }
        anyhow::ensure!(!tokens.is_empty(), "the token file {shown} is empty");
        Ok(tokens)
    }

    pub(super) fn line(&mut self, role: Role, number: usize, line: &str) -> anyhow::Result<Token> {
        let (name, token) = match line.split_once(':') {
            None => (None, line),
            Some((name, token)) => (Some(name.trim()), token.trim()),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // The line itself is not shown: it holds a secret.
        anyhow::ensure!(
            name.is_none_or(|name| (1..=NAME_MAX).contains(&name.len()) && name.chars().all(fits)),
            "line {number}: before the first `:` there must be a name, 1 to {NAME_MAX} of A-Z a-z \
             0-9 . _ -"
        );
        anyhow::ensure!(
            !token.is_empty() && !token.contains(char::is_whitespace),
            "line {number}: a token is one word"
        );
        let digest = Digest::of(token.as_bytes());
        let (owner, name) = match name {
            Some(name) => (number_of(&format!("name {name}")), name.to_owned()),
            None => {
                let name = format!("{}-{number}", role.as_str());
                (number_of(&format!("token {digest}")), name)
            }
        };
        let owner = self.owners.entry(owner).or_insert_with(|| {
            Arc::new(Owner {
                name,
                number: owner,
                rate: Rate::new(self.per_second, DefaultClock::default()),
            })
        });
        Ok(Token {
            role,
            digest,
            owner: owner.clone(),
        })
    }
}

/// The same for the same text, and hardly for another.
fn number_of(text: &str) -> u64 {
    let Digest(bytes) = Digest::of(format!("wasipool owner: {text}").as_bytes());
    let first = bytes.first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(first).max(1)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn reader() -> Reader {
        Reader::new(NonZeroU32::MIN)
    }

    #[test]
    fn tokens_of_one_name_are_of_one_owner() {
        let mut reader = reader();
        let mut line = |role, line: &str| reader.line(role, 7, line).unwrap();
        let old = line(Role::Submit, "lab:old-token");
        let new = line(Role::Admin, " lab : new-token ");
        assert_eq!(new.digest, Digest::of(b"new-token"));
        assert_eq!(
            (old.owner.name.as_str(), old.owner.number),
            ("lab", new.owner.number)
        );
        assert!(Arc::ptr_eq(&old.owner, &new.owner), "one rate for both");
        let nameless = line(Role::Submit, "old-token");
        assert_eq!(nameless.owner.name, "submit-7");
        assert_ne!(nameless.owner.number, old.owner.number);
        let again = self::reader().line(Role::Submit, 1, "old-token").unwrap();
        assert_eq!(
            again.owner.number, nameless.owner.number,
            "in another process too"
        );
    }

    #[test]
    fn lines_that_are_no_token_are_refused_without_being_shown() {
        for line in [
            "a b:s3cret",
            ":s3cret",
            "lab:",
            "lab:s3cret more",
            "two s3cret",
        ] {
            let error = reader()
                .line(Role::Submit, 7, line)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("line 7: "), "{line}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        let long = format!("{}:t", "n".repeat(NAME_MAX));
        assert!(reader().line(Role::Submit, 1, &long).is_ok());
        assert!(reader().line(Role::Submit, 1, &format!("n{long}")).is_err());
    }

    #[test]
    fn a_second_has_as_many_requests_as_the_limit() {
        let clock = FakeRelativeClock::default();
        let rate = Rate::new(NonZeroU32::new(4).unwrap(), clock.clone());
        for _ in 0..4 {
            assert_eq!(rate.take(), Ok(()));
        }
        let wait = rate.take().unwrap_err();
        assert_eq!(wait, Duration::from_millis(250));
        clock.advance(wait - Duration::from_nanos(1));
        assert!(rate.take().is_err(), "just before");
        clock.advance(Duration::from_nanos(1));
        assert_eq!(rate.take(), Ok(()), "just then");
        assert!(rate.take().is_err());
    }
}
