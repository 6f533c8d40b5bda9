//! Blobs in a folder.

use std::fs;
use std::path::Path;

use super::*;

async fn open(folder: &Path) -> Store {
    let settings = StoreSettings {
        folder: Some(folder.to_owned()),
        ..StoreSettings::default()
    };
    Store::open(settings).await.unwrap()
}

/// Files in a folder of the broker's.
fn files(folder: &Path, name: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.join(name)).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    entries.map(|entry| name(entry).unwrap()).collect()
}

async fn upload(store: &Store, content: &[u8]) -> PutBlob {
    let mut upload = store.blobs().upload();
    for piece in content.chunks(300_000) {
        upload.write(piece).await.unwrap();
    }
    let uploaded = upload.finish().await.unwrap();
    assert!(content.starts_with(&uploaded.head));
    assert_eq!(uploaded.bytes().await.unwrap(), content);
    let kept = store.blobs().keep(uploaded, BlobKind::Data, None);
    kept.await.unwrap()
}

#[tokio::test]
async fn blobs_and_names_are_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let large: Vec<u8> = (0..3_000_000_u32)
        .map(|at| at as u8 ^ (at >> 8) as u8)
        .collect();
    let mut metas = Vec::new();
    for (name, content) in [("small", b"in pieces".as_slice()), ("large", &large)] {
        let put = upload(&store, content).await;
        assert_eq!(put.meta.digest, Digest::of(content));
        assert!(put.new && !upload(&store, content).await.new);
        store.blobs().name(name, put.meta.digest).await.unwrap();
        assert_eq!(store.blob(put.meta.digest).await.unwrap(), content);
        metas.push((name, put.meta.clone()));
    }
    drop(store);

    let store = open(folder.path()).await;
    assert_eq!(store.blobs().stored_bytes(), 3_000_009);
    for (name, before) in metas {
        let (meta, pin) = store.blobs().resolve(name).await.unwrap();
        assert_eq!(meta, before);
        let content = store.blob(meta.digest).await.unwrap();
        assert_eq!(Digest::of(&content), meta.digest);
        drop(pin);
        store.blobs().delete_name(name).await.unwrap();
        assert!(store.blob(meta.digest).await.is_none());
    }
    assert_eq!(files(folder.path(), "blobs"), [""; 0]);
    assert_eq!(store.blobs().stored_bytes(), 0);
    drop(store);
    assert!(
        open(folder.path())
            .await
            .blobs()
            .resolve("small")
            .await
            .is_none()
    );
}

#[tokio::test]
async fn nothing_stays_of_what_was_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let kept = upload(&store, b"kept").await.meta.digest;
    let mut broken = store.blobs().upload();
    broken.write(&[7; 9_000_000]).await.unwrap();
    drop(broken);
    drop(store);
    // A broker that was killed leaves such.
    let stranger = Digest::of(b"of no row").hex();
    for name in [stranger.clone(), format!("{stranger}#1")] {
        fs::write(folder.path().join("blobs").join(name), "of no row").unwrap();
    }
    fs::write(folder.path().join("tmp/77"), "half").unwrap();
    let store = open(folder.path()).await;
    assert_eq!(files(folder.path(), "blobs"), [kept.hex()]);
    assert_eq!(files(folder.path(), "tmp"), [""; 0]);
    assert_eq!(store.blobs().stored_bytes(), 4);
}

#[tokio::test]
async fn what_is_stored_for_now_ends_with_the_broker_unless_something_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut digests = Vec::new();
    for content in ["gone", "named", "of a job"] {
        let put = store
            .blobs()
            .put_for_now(0, content.into(), BlobKind::Data, None);
        let put = put.await.unwrap();
        digests.push(put.meta.digest);
        assert_eq!(store.blob(put.meta.digest).await.unwrap(), content);
    }
    let rows = |reader: &rusqlite::Connection| {
        reader.query_row("SELECT count(*) FROM blobs", [], |row| row.get::<_, u32>(0))
    };
    assert_eq!(store.jobs().read(rows).await, Some(0));
    store.blobs().name("n", digests[1]).await.unwrap();
    let (digest, size) = (digests[2], 8);
    let job = new_job(1, Payload::Blob(BlobRef { digest, size }));
    store.insert_job(id(1), &job).await.unwrap();
    drop(store);
    let store = open(folder.path()).await;
    assert!(store.blob(digests[0]).await.is_none());
    assert_eq!(store.blob(digests[1]).await.unwrap(), "named");
    assert_eq!(store.blob(digests[2]).await.unwrap(), "of a job");
}

#[tokio::test]
async fn damaged_content_is_not_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let digest = upload(&store, b"content").await.meta.digest;
    drop(store);
    let file = folder.path().join("blobs").join(digest.hex());
    fs::write(&file, "CONTENT").unwrap();
    assert!(open(folder.path()).await.blob(digest).await.is_none());
    // Of another size, it is seen at the start.
    fs::write(&file, "cut").unwrap();
    assert_eq!(open(folder.path()).await.blobs().stored_bytes(), 0);
}

#[tokio::test]
async fn a_folder_of_a_broker_without_a_database_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let content = b"content";
    let digest = Digest::of(content);
    let blobs = folder.path().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(digest.hex()), content).unwrap();
    let meta = format!(
        r#"{{"digest":"{digest}","size":7,"kind":"data","module":null,"created_unix_ms":5}}"#
    );
    fs::write(blobs.join(format!("{}.json", digest.hex())), meta).unwrap();
    let names = format!(r#"{{"old":{{"digest":"{digest}","created_unix_ms":6}}}}"#);
    fs::write(folder.path().join("names.json"), names).unwrap();
    for _ in 0..2 {
        let store = open(folder.path()).await;
        let (meta, _pin) = store.blobs().resolve("old").await.unwrap();
        assert_eq!((meta.size, meta.created_unix_ms), (7, 5));
        assert_eq!(store.blob(digest).await.unwrap(), content.as_slice());
        assert_eq!(store.blobs().list(None, 9).await.items[0].named_unix_ms, 6);
    }
    assert_eq!(files(folder.path(), "blobs"), [digest.hex()]);
}
