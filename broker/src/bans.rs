//! Providers that an operator doesn't want.
//!
//! A ban is by name, by address, or both: who fits either is not let in. With a
//! data folder bans survive a restart.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wasipool_shared::ids::ProviderId;
use wasipool_shared::wire::message::{Refuse, RefuseCode};

/// Bans that there may be at a time.
pub const BANS_MAX: usize = 10_000;

/// One ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The session that it began with: names the ban.
    pub id: ProviderId,
    /// Providers of this name don't get in.
    pub name: Option<String>,
    /// Nor do those from this address.
    pub address: Option<IpAddr>,
    /// What they are told.
    pub reason: String,
    /// When it began, in Unix milliseconds.
    pub created_unix_ms: u64,
    /// When it ends, in Unix milliseconds; never, without.
    pub expires_unix_ms: Option<u64>,
}

impl Ban {
    /// Whether it is meant for that provider.
    #[must_use]
    pub fn fits(&self, name: &str, address: IpAddr) -> bool {
        self.name.as_deref() == Some(name) || self.address == Some(address.to_canonical())
    }

    /// What the provider is told.
    #[must_use]
    pub fn refuse(&self) -> Refuse {
        let text = if self.reason.is_empty() {
            "an operator has banned this provider".to_owned()
        } else {
            format!("an operator has banned this provider: {}", self.reason)
        };
        Refuse {
            code: RefuseCode::Banned,
            text,
        }
    }

    fn holds(&self, unix_ms: u64) -> bool {
        self.expires_unix_ms.is_none_or(|ends| ends > unix_ms)
    }
}

/// Why a ban isn't kept.
#[derive(Debug, thiserror::Error)]
pub enum BanError {
    /// There are too many.
    #[error("there are {BANS_MAX} bans, no more are kept: lift some")]
    TooMany,
    /// The file couldn't be written.
    #[error("the bans couldn't be written: {0}")]
    Io(#[from] io::Error),
}

/// All bans; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Bans {
    list: Arc<Mutex<Vec<Ban>>>,
    /// Held by who changes them, so that their order on disk is the one in
    /// memory.
    file: Arc<tokio::sync::Mutex<Option<PathBuf>>>,
}

impl Bans {
    /// Reads the bans from a folder, where they are kept from now on; without
    /// one they end with the process.
    ///
    /// # Errors
    /// If the file is there and can't be read.
    pub fn open(folder: Option<PathBuf>) -> io::Result<Self> {
        let path = folder.map(|folder| folder.join("bans.json"));
        let list = match path.as_deref().map(std::fs::read) {
            None => Vec::new(),
            Some(Ok(json)) => serde_json::from_slice(&json)?,
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Some(Err(error)) => return Err(error),
        };
        Ok(Self {
            list: Arc::new(Mutex::new(list)),
            file: Arc::new(tokio::sync::Mutex::new(path)),
        })
    }

    /// The ban that keeps a provider out, if there is one.
    #[must_use]
    pub fn of(&self, name: &str, address: IpAddr, unix_ms: u64) -> Option<Ban> {
        let list = self.list.lock();
        let found = list
            .iter()
            .find(|ban| ban.fits(name, address) && ban.holds(unix_ms));
        found.cloned()
    }

    /// Those that hold, the newest first.
    #[must_use]
    pub fn list(&self, unix_ms: u64) -> Vec<Ban> {
        let list = self.list.lock();
        list.iter()
            .rev()
            .filter(|ban| ban.holds(unix_ms))
            .cloned()
            .collect()
    }

    /// Adds a ban; one of the same session takes the place of the last.
    ///
    /// # Errors
    /// If there are too many, or it can't be written: then it doesn't hold.
    pub async fn add(&self, ban: Ban) -> Result<(), BanError> {
        let file = self.file.lock().await;
        let mut list = self.list.lock().clone();
        list.retain(|known| known.id != ban.id && known.holds(ban.created_unix_ms));
        if list.len() >= BANS_MAX {
            return Err(BanError::TooMany);
        }
        list.push(ban);
        Ok(self.replace(file.as_ref(), list).await?)
    }

    /// Lifts a ban; false if there is none of that id.
    ///
    /// # Errors
    /// If that can't be written: then it holds on.
    pub async fn lift(&self, id: ProviderId) -> Result<bool, BanError> {
        let file = self.file.lock().await;
        let mut list = self.list.lock().clone();
        let before = list.len();
        list.retain(|known| known.id != id);
        if list.len() == before {
            return Ok(false);
        }
        self.replace(file.as_ref(), list).await?;
        Ok(true)
    }

    async fn replace(&self, path: Option<&PathBuf>, list: Vec<Ban>) -> io::Result<()> {
        if let Some(path) = path.cloned() {
            let json = serde_json::to_vec_pretty(&list)?;
            let write = move || {
                // Complete, or not there.
                let temporary = path.with_extension("new");
                std::fs::write(&temporary, json)?;
                std::fs::File::open(&temporary)?.sync_all()?;
                std::fs::rename(&temporary, &path)
            };
            tokio::task::spawn_blocking(write)
                .await
                .map_err(io::Error::other)??;
        }
        *self.list.lock() = list;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(id: u128, name: Option<&str>, address: Option<&str>) -> Ban {
        Ban {
            id: ProviderId(id),
            name: name.map(str::to_owned),
            address: address.map(|address| address.parse().unwrap()),
            reason: "because".into(),
            created_unix_ms: 1_000,
            expires_unix_ms: None,
        }
    }

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[tokio::test]
    async fn bans_are_by_name_or_by_address() {
        let bans = Bans::default();
        bans.add(ban(1, Some("evil"), Some("192.0.2.7")))
            .await
            .unwrap();
        bans.add(ban(2, None, Some("2001:db8::1"))).await.unwrap();
        for (name, address, banned) in [
            ("evil", "192.0.2.8", Some(1)),
            ("good", "192.0.2.7", Some(1)),
            ("good", "::ffff:192.0.2.7", Some(1)),
            ("good", "2001:db8::1", Some(2)),
            ("good", "192.0.2.8", None),
            ("Evil", "192.0.2.8", None),
            ("", "192.0.2.8", None),
        ] {
            let found = bans.of(name, at(address), 1_000).map(|ban| ban.id.0);
            assert_eq!(found, banned, "{name} {address}");
        }
        assert!(bans.lift(ProviderId(1)).await.unwrap());
        assert!(!bans.lift(ProviderId(1)).await.unwrap(), "it is lifted");
        assert!(bans.of("evil", at("192.0.2.7"), 1_000).is_none());
    }

    #[tokio::test]
    async fn a_ban_ends_at_its_time() {
        let bans = Bans::default();
        let mut short = ban(1, Some("evil"), None);
        short.expires_unix_ms = Some(2_000);
        bans.add(short).await.unwrap();
        assert!(bans.of("evil", at("::1"), 1_999).is_some());
        assert!(bans.of("evil", at("::1"), 2_000).is_none());
        assert_eq!((bans.list(1_999).len(), bans.list(2_000).len()), (1, 0));
    }

    #[tokio::test]
    async fn bans_outlive_the_process_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Bans::open(Some(folder.path().to_owned()));
        let bans = open().unwrap();
        for id in 0..3 {
            bans.add(ban(id, Some(&format!("evil-{id}")), None))
                .await
                .unwrap();
        }
        bans.lift(ProviderId(1)).await.unwrap();
        let names = |bans: &Bans| -> Vec<_> {
            bans.list(0)
                .into_iter()
                .filter_map(|ban| ban.name)
                .collect()
        };
        assert_eq!(names(&open().unwrap()), ["evil-2", "evil-0"]);
        std::fs::write(folder.path().join("bans.json"), "[{").unwrap();
        assert!(open().is_err(), "never open by accident");
    }

    #[tokio::test]
    async fn there_are_only_so_many() {
        let bans = Bans::default();
        *bans.list.lock() = (1..BANS_MAX as u128)
            .map(|id| ban(id, Some("x"), None))
            .collect();
        bans.add(ban(0, Some("last"), None)).await.unwrap();
        let more = bans.add(ban(u128::MAX, Some("more"), None)).await;
        assert!(matches!(more, Err(BanError::TooMany)));
        assert!(
            bans.add(ban(0, Some("again"), None)).await.is_ok(),
            "instead of the last"
        );
    }
}
