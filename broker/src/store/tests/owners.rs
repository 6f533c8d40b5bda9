//! What blobs count for whom.

use super::*;

fn settings(owner_bytes_max: u64) -> StoreSettings {
    StoreSettings {
        stored_bytes_max: 12,
        owner_bytes_max,
        ..StoreSettings::default()
    }
}

async fn bring(store: &Store, owner: u64, bytes: &'static [u8]) -> Result<PutBlob, StoreError> {
    let bytes = Bytes::from_static(bytes);
    store
        .blobs()
        .put_for(owner, bytes, BlobKind::Data, None)
        .await
}

async fn named(store: &Store, owner: u64, bytes: &'static [u8], name: &str) {
    let put = bring(store, owner, bytes).await.unwrap();
    store.blobs().name(name, put.meta.digest).await.unwrap();
}

#[tokio::test]
async fn an_owner_has_room_of_its_own() {
    let store = Store::open(settings(6)).await.unwrap();
    named(&store, 7, b"four", "a").await;
    named(&store, 7, b"42", "b").await;
    let more = bring(&store, 7, b"!").await;
    assert!(matches!(more, Err(StoreError::OwnerFull { limit: 6 })));
    assert!(
        bring(&store, 7, b"four").await.is_ok(),
        "it is there already"
    );
    named(&store, 8, b"sixsix", "c").await;
    let all = bring(&store, 0, b"!").await;
    assert!(matches!(all, Err(StoreError::Full { limit: 12 })));
    // What goes makes room again, whoever deletes it.
    assert!(store.blobs().delete_name("b").await.unwrap());
    named(&store, 7, b"!!", "d").await;
    assert!(bring(&store, 7, b"?").await.is_err());
}

#[tokio::test]
async fn unused_blobs_of_the_owner_make_room_and_those_of_others_stay() {
    let store = Store::open(settings(6)).await.unwrap();
    let other = bring(&store, 8, b"other").await.unwrap().meta.digest;
    let own = bring(&store, 7, b"own 1").await.unwrap().meta.digest;
    named(&store, 7, b"own 2", "n").await;
    assert!(store.blob(own).await.is_none(), "nothing needs it");
    assert!(store.blob(other).await.is_some(), "it is not in the way");
    assert!(
        bring(&store, 7, b"ow").await.is_err(),
        "the named one is needed"
    );
}

#[tokio::test]
async fn a_folder_remembers_who_brought_what() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        folder: Some(folder.path().to_owned()),
        ..settings(6)
    };
    let store = Store::open(settings.clone()).await.unwrap();
    named(&store, 7, b"five!", "n").await;
    store.flush().await;
    drop(store);
    let store = Store::open(settings).await.unwrap();
    assert!(bring(&store, 7, b"42").await.is_err());
    assert!(bring(&store, 7, b"!").await.is_ok());
    assert!(bring(&store, 8, b"sixsix").await.is_ok());
}
