//! What a browser calls itself, in a few words.

/// Browsers whose token is more exact than others stand first: nearly all of
/// them claim to be Chrome and Safari as well.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chromium (headless)"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// Characters of an unknown user agent that are kept.
const UNKNOWN_CHARS_MAX: usize = 80;

/// A short name for a browser, made of its user agent: `Firefox 153 on Linux`.
#[must_use]
pub fn short(user_agent: &str) -> String {
    let browser = BROWSERS.iter().find_map(|(token, name)| {
        let (_, version) = user_agent.split_once(token)?;
        let major: String = version.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("{name} {major}"))
    });
    let system = SYSTEMS.iter().find(|(token, _)| user_agent.contains(token));
    match (browser, system) {
        (Some(browser), Some((_, system))) => format!("{browser} on {system}"),
        (Some(browser), None) => browser,
        (None, _) => user_agent.chars().take(UNKNOWN_CHARS_MAX).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_become_short() {
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 HeadlessChrome/156.0.0.0 Safari/537.36",
                "Chromium (headless) 156 on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
                "Edge 156 on Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
                "Firefox 153 on Linux",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari 26 on iOS",
            ),
            ("something else", "something else"),
        ] {
            assert_eq!(short(user_agent), expected);
        }
        assert_eq!(short(&"ä".repeat(500)).chars().count(), 80);
    }
}
