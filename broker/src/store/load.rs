//! Which blobs there are at a start.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use wasipool_shared::digest::Digest;

use super::blobs::BlobMeta;
use super::index::{Entry, Index, Names};
use super::objects::Objects;
use super::sql::{self, Database};
use super::{OpenError, StoreError};

/// Files of a broker that had no database: all names, and what each blob is.
const OLD_NAMES: &str = "names.json";

/// Blobs of the database whose content is there; content that is in none goes.
pub(super) async fn index(database: &Database, objects: &Objects) -> Result<Index, OpenError> {
    let failed = |error: StoreError| io::Error::other(error.to_string());
    let mut found: HashMap<Digest, u64> =
        objects.list().await.map_err(failed)?.into_iter().collect();
    let mut index = Index::default();
    for meta in database.read(sql::blobs::all)? {
        if found.remove(&meta.digest) != Some(meta.size) {
            tracing::error!(digest = %meta.digest, "a blob's content is missing");
            continue;
        }
        index.add(meta.size, meta.owner);
        let entry = Entry {
            meta: Arc::new(meta),
            durable: true,
            pins: 0,
            names: 0,
        };
        index.blobs.insert(entry.meta.digest, entry);
    }
    for (name, named) in database.read(sql::blobs::names)? {
        if let Some(entry) = index.blobs.get_mut(&named.digest) {
            entry.names += 1;
            index.names.insert(name, named);
        }
    }
    for digest in found.into_keys() {
        objects.remove(digest).await.map_err(failed)?;
    }
    Ok(index)
}

/// Takes over what a broker that had no database knew of its blobs.
pub(super) fn take_over(database: &Database, folder: &Path) -> Result<(), OpenError> {
    let blobs = folder.join("blobs");
    let mut files = Vec::new();
    if blobs.exists() {
        for entry in fs::read_dir(&blobs)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                files.push(path);
            }
        }
    }
    let names = folder.join(OLD_NAMES);
    if files.is_empty() && !names.exists() {
        return Ok(());
    }
    let transaction = database.writer();
    transaction.execute_batch("BEGIN")?;
    for file in &files {
        let meta: BlobMeta = serde_json::from_slice(&fs::read(file)?).map_err(io::Error::from)?;
        sql::blobs::insert(&transaction, &meta)?;
    }
    if names.exists() {
        let known: Names = serde_json::from_slice(&fs::read(&names)?).map_err(io::Error::from)?;
        for (name, named) in known {
            sql::blobs::set_name(&transaction, &name, named)?;
        }
        files.push(names);
    }
    transaction.execute_batch("COMMIT")?;
    drop(transaction);
    for file in &files {
        fs::remove_file(file)?;
    }
    tracing::info!("blobs and names are kept in the database from now on");
    Ok(())
}
