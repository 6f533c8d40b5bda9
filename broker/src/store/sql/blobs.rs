//! Statements on blobs and their names.

use rusqlite::types::Type;
use rusqlite::{Connection, params};
use wasipool_shared::digest::Digest;

use crate::store::blobs::BlobMeta;
use crate::store::index::{Named, Names};

/// Adds what is known of a blob.
pub(in crate::store) fn insert(connection: &Connection, meta: &BlobMeta) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO blobs (digest, meta) VALUES (?1, ?2)";
    let json = serde_json::to_string(meta)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![meta.digest.0, json])?;
    Ok(())
}

/// Removes blobs.
pub(in crate::store) fn remove(
    connection: &Connection,
    digests: &[Digest],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM blobs WHERE digest = ?1")?;
    for digest in digests {
        statement.execute([digest.0])?;
    }
    Ok(())
}

/// All blobs.
pub(in crate::store) fn all(connection: &Connection) -> rusqlite::Result<Vec<BlobMeta>> {
    let mut statement = connection.prepare("SELECT meta FROM blobs")?;
    let metas = statement.query_map([], |row| {
        serde_json::from_str(row.get_ref(0)?.as_str()?)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))
    })?;
    metas.collect()
}

/// Points a name to a blob.
pub(in crate::store) fn set_name(
    connection: &Connection,
    name: &str,
    named: Named,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO names (name, digest, created_ms) VALUES (?1, ?2, ?3)";
    let created = named.created_unix_ms.cast_signed();
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![name, named.digest.0, created])?;
    Ok(())
}

/// Takes a name away.
pub(in crate::store) fn remove_name(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM names WHERE name = ?1")?;
    statement.execute([name])?;
    Ok(())
}

/// All names.
pub(in crate::store) fn names(connection: &Connection) -> rusqlite::Result<Names> {
    let mut statement = connection.prepare("SELECT name, digest, created_ms FROM names")?;
    let names = statement.query_map([], |row| {
        let named = Named {
            digest: Digest(row.get(1)?),
            created_unix_ms: row.get::<_, i64>(2)?.cast_unsigned(),
        };
        Ok((row.get(0)?, named))
    })?;
    names.collect()
}
