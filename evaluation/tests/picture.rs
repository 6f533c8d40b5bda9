//! A picture drawn by the pool: tiles on both kinds of provider, put together
//! by one more task from the job's own archive.

use std::time::Duration;

use serde_json::{Value, json};
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::scenario::with_pool;

/// SHA-256 of the small picture, as the native build of the same program draws it.
const SMALL_PICTURE: &str =
    "sha256:227da18fcc0a5f0357433b5c62defa45d0e016f2627b64a87b80727ad856aad3";

#[test]
fn a_picture_is_the_same_from_any_provider() {
    with_pool(&Setup::broker().native("native", 1).tab(1), async |pool| {
        let client = &pool.client;
        client.put_guests(&["raytrace"]).await?;
        let job: Value =
            serde_json::from_str(include_str!("../../wasi-apps/raytrace/jobs/small.json"))?;
        let mut pictures = Vec::new();
        for kind in ["native", "browser"] {
            let mut job = job.clone();
            job["requires"] = json!({ "kind": kind });
            let id = client.submit(&job).await?.id;
            let ended = client.ended(&id, Duration::from_secs(120)).await?;
            anyhow::ensure!(ended.state == "succeeded", "{kind}: {ended:?}");
            let tiles = client.get(&format!("/v1/jobs/{id}/artifacts.zip")).await?;
            let name = format!("tiles-{kind}.zip");
            client.put_blob(&name, tiles.body).await?;
            let stitch = client.run("raytrace.wasm").query("arg", "stitch");
            let png = stitch.query("files", &name).send_ok().await?.body;
            anyhow::ensure!(png.starts_with(b"\x89PNG"), "{kind}: no PNG");
            pictures.push(client.put_blob(&format!("{kind}.png"), png).await?.digest);
        }
        anyhow::ensure!(pictures == [SMALL_PICTURE; 2], "{pictures:?}");
        Ok(())
    });
}
