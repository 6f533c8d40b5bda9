//! Why nobody can run a task, in words for the user who asked for it.

use std::sync::Arc;

use super::class::Class;
use super::pool::{Pool, Provider};

/// What the pool lacks for a class of jobs.
pub(super) fn missing(class: &Class, pool: &Pool) -> Arc<str> {
    let needs = &class.needs;
    let connected: Vec<&Provider> = pool
        .providers
        .iter()
        .map(|(_, provider)| provider)
        .filter(|provider| !provider.draining)
        .collect();
    if connected.is_empty() {
        return "no provider is connected".into();
    }
    let of_kind: Vec<&Provider> = connected
        .into_iter()
        .filter(|provider| needs.kind.is_none_or(|kind| kind == provider.kind))
        .collect();
    let kind = needs
        .kind
        .map_or(String::new(), |kind| format!(" of kind {}", kind.as_str()));
    if of_kind.is_empty() {
        return format!("no provider{kind} is connected").into();
    }
    let suited: Vec<&Provider> = of_kind
        .iter()
        .copied()
        .filter(|provider| provider.capacity.features.contains(needs.features()))
        .collect();
    if suited.is_empty() {
        return missing_features(class, &of_kind, &kind);
    }
    let largest = suited
        .iter()
        .map(|provider| provider.capacity.memory_bytes)
        .max()
        .unwrap_or(0);
    if largest < needs.memory_bytes {
        let (needed, largest) = (size(needs.memory_bytes), size(largest));
        return format!("needs {needed} of memory, the largest provider{kind} offers {largest}")
            .into();
    }
    format!(
        "needs able providers{kind} of {} different accounts or addresses, {} are connected",
        needs.quorum,
        class.groups()
    )
    .into()
}

fn missing_features(class: &Class, providers: &[&Provider], kind: &str) -> Arc<str> {
    let needed = class.needs.features();
    // Of a feature that nobody has, the name; otherwise nobody has all of them.
    let offered = providers.iter().fold(
        wasipool_shared::capacity::Features::default(),
        |all, provider| all.union(provider.capacity.features),
    );
    let lacking: Vec<&str> = needed.without(offered).names().collect();
    match lacking.as_slice() {
        [] => {
            let names: Vec<&str> = needed.names().collect();
            format!(
                "no provider{kind} has all of the features {}",
                names.join(", ")
            )
            .into()
        }
        [name] => format!("no provider{kind} has the feature {name}").into(),
        names => format!("no provider{kind} has the features {}", names.join(", ")).into(),
    }
}

/// Bytes in the largest unit in which they are a short number.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
    let mut unit = 0;
    let mut scale = 1_u64;
    while unit + 1 < UNITS.len() && bytes >= scale * 1024 {
        scale *= 1024;
        unit += 1;
    }
    if bytes.is_multiple_of(scale) {
        format!("{} {}", bytes / scale, UNITS[unit])
    } else {
        format!("{:.1} {}", bytes as f64 / scale as f64, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [0, 1_000, 2 << 30, 3 << 29].map(size),
            ["0 bytes", "1000 bytes", "2 GiB", "1.5 GiB"]
        );
    }
}
