//! What of the README is run, and whether a text is as it shows.

/// Commands with the output that the README shows for them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where the commands begin.
    pub(crate) line: usize,
    pub(crate) script: String,
    pub(crate) output: Option<String>,
}

/// The blocks that are marked, in order.
pub(crate) fn parse(markdown: &str) -> anyhow::Result<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = markdown
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim_end()));
    while let Some((number, mark)) = lines.next() {
        let fence = match mark {
            "<!-- run -->" => "```sh",
            "<!-- output -->" => "```text",
            _ => continue,
        };
        let next = lines.by_ref().find(|(_, line)| !line.is_empty());
        let Some((line, _)) = next.filter(|(_, line)| *line == fence) else {
            anyhow::bail!("README.md, line {number}: no {fence} after {mark}");
        };
        let mut content = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            content.push_str(line);
            content.push('\n');
        }
        if fence == "```sh" {
            blocks.push(Block {
                line,
                script: content,
                output: None,
            });
            continue;
        }
        match blocks.last_mut() {
            Some(block) if block.output.is_none() => block.output = Some(content),
            _ => anyhow::bail!("README.md, line {number}: output of no commands"),
        }
    }
    Ok(blocks)
}

/// Whether `output` is as `shown`, spaces at the ends of lines aside.
pub(crate) fn matches(shown: &str, output: &str) -> bool {
    let lines = |text: &str| {
        text.trim()
            .lines()
            .map(|line| line.trim().to_owned())
            .collect()
    };
    let (shown, output): (Vec<String>, Vec<String>) = (lines(shown), lines(output));
    lines_match(&shown, &output)
}

fn lines_match(shown: &[String], output: &[String]) -> bool {
    match shown {
        [] => output.is_empty(),
        [any, rest @ ..] if any == "…" => {
            (0..=output.len()).any(|skipped| lines_match(rest, &output[skipped..]))
        }
        [line, rest @ ..] => match output {
            [first, others @ ..] => line_matches(line, first) && lines_match(rest, others),
            [] => false,
        },
    }
}

fn line_matches(shown: &str, line: &str) -> bool {
    let Some((before, after)) = shown.split_once('…') else {
        return shown == line;
    };
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| line_matches(after, &rest[at..]))
}

#[test]
fn marked_blocks_are_found() {
    let text = "a\n<!-- run -->\n```sh\necho 1\n```\n\n<!-- output -->\n\n```text\n1\n```\n\
                ```sh\nnot this\n```\n<!-- run -->\n```sh\necho 2\n```\n";
    let block = |line, script: &str, output: Option<&str>| Block {
        line,
        script: script.to_owned(),
        output: output.map(str::to_owned),
    };
    assert_eq!(
        parse(text).unwrap(),
        [
            block(3, "echo 1\n", Some("1\n")),
            block(16, "echo 2\n", None)
        ]
    );
    assert!(parse("<!-- run -->\ntext").is_err());
    assert!(parse("<!-- output -->\n```text\n1\n```\n").is_err());
}

#[test]
fn dots_stand_for_anything() {
    assert!(matches("a …b… c", "a xxb y c\n"));
    assert!(matches("a\n…\nz", "a\nb\nc\nz"));
    assert!(matches("a\n…", "a\n"));
    assert!(!matches("a", "a\nb"));
    assert!(!matches("a…", "b"));
}
