//! The document as HTML: static, without scripts.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The whole page.
pub(super) fn render(document: &Value) -> String {
    let mut page = String::with_capacity(128 * 1024);
    let title = text(&document["info"]["title"]);
    let _ = writeln!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}: the API</title>\n<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n<link rel=\"stylesheet\" href=\"/docs.css\">\n</head>\n<body>\n\
         <header class=\"bar\"><a class=\"brand\" href=\"/\">{title}</a>\
         <a class=\"button\" href=\"/openapi.json\">openapi.json</a></header>\n<main class=\"api\">\n\
         <h1>The API, version {}</h1>\n<p>{}</p>",
        text(&document["info"]["version"]),
        text(&document["info"]["description"]),
    );
    contents(document, &mut page);
    for tag in items(&document["tags"]) {
        section(document, tag, &mut page);
    }
    page.push_str("<section class=\"card\"><h2 id=\"schemas\">Schemas</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let _ = writeln!(page, "<h3 id=\"schema-{0}\">{0}</h3>", escape(name));
        self::schema(schema, &mut page);
    }
    page.push_str("</section>\n</main>\n</body>\n</html>\n");
    page
}

fn contents(document: &Value, page: &mut String) {
    page.push_str("<nav class=\"card\" aria-label=\"Contents\"><ul>\n");
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        let described = text(&tag["description"]);
        let _ = writeln!(page, "<li><a href=\"#{name}\">{name}</a>: {described}</li>");
    }
    page.push_str(
        "<li><a href=\"#schemas\">schemas</a>: what requests and answers hold.</li>\n</ul></nav>\n",
    );
}

/// The endpoints of a tag.
fn section(document: &Value, tag: &Value, page: &mut String) {
    let name = text(&tag["name"]);
    let _ = writeln!(
        page,
        "<section class=\"card\"><h2 id=\"{name}\">{name}</h2>"
    );
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            if items(&operation["tags"]).any(|of| of == &tag["name"]) {
                endpoint(method, path, operation, page);
            }
        }
    }
    page.push_str("</section>\n");
}

fn endpoint(method: &str, path: &str, operation: &Value, page: &mut String) {
    let _ = writeln!(
        page,
        "<details><summary><span class=\"method\">{}</span> <code>{}</code> {}</summary>\n<p>{}</p>",
        escape(&method.to_uppercase()),
        escape(path),
        text(&operation["summary"]),
        text(&operation["description"]),
    );
    let mut parameters = items(&operation["parameters"]).peekable();
    if parameters.peek().is_some() {
        page.push_str("<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr></thead><tbody>\n");
        for parameter in parameters {
            let _ = writeln!(
                page,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                kind(&parameter["schema"]),
                text(&parameter["description"]),
            );
        }
        page.push_str("</tbody></table>\n");
    }
    for (content, body) in members(&operation["requestBody"]["content"]) {
        let _ = writeln!(
            page,
            "<p>Body: <code>{}</code> {} {}</p>",
            escape(content),
            kind(&body["schema"]),
            text(&operation["requestBody"]["description"]),
        );
    }
    page.push_str(
        "<table><thead><tr><th>Answer</th><th>Content</th><th></th></tr></thead><tbody>\n",
    );
    for (status, response) in members(&operation["responses"]) {
        let contents: Vec<_> = members(&response["content"])
            .map(|(content, body)| {
                format!("<code>{}</code> {}", escape(content), kind(&body["schema"]))
            })
            .collect();
        let described = text(&response["description"]).replace("\n\n", "<br>");
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{described}</td></tr>",
            escape(status),
            contents.join("<br>"),
        );
    }
    page.push_str("</tbody></table></details>\n");
}

/// A schema in full: its members, one a row.
fn schema(schema: &Value, page: &mut String) {
    if let Some(described) = schema["description"].as_str() {
        let _ = writeln!(page, "<p>{}</p>", marked(described));
    }
    for part in items(&schema["allOf"]) {
        self::schema(part, page);
    }
    if schema["properties"].is_null() {
        if schema["allOf"].is_null() {
            let _ = writeln!(page, "<p>{}</p>", kind(schema));
        }
        return;
    }
    page.push_str("<table><tbody>\n");
    for (name, member) in members(&schema["properties"]) {
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(name),
            kind(member),
            text(&member["description"]),
        );
    }
    page.push_str("</tbody></table>\n");
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or(reference));
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    let choices: Vec<_> = ["oneOf", "allOf", "anyOf"]
        .iter()
        .flat_map(|name| items(&schema[*name]))
        .filter(|choice| choice["required"].is_null() || !choice["properties"].is_null())
        .map(kind)
        .collect();
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    if schema["enum"].is_array() {
        let names: Vec<_> = items(&schema["enum"])
            .map(|name| format!("<code>{}</code>", text(name)))
            .collect();
        return names.join(", ");
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let words = types.join(" or ");
    if schema["items"].is_object() {
        return format!("{words} of {}", kind(&schema["items"]));
    }
    if let (Some(least), Some(most)) = (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        return format!("{words}, {least} to {most}");
    }
    let names: Vec<_> = members(&schema["properties"])
        .map(|(name, _)| escape(name))
        .collect();
    if names.is_empty() {
        return words;
    }
    format!("{words} with {}", names.join(", "))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flat_map(Map::iter)
}

/// A string as HTML, `code` marked as such.
fn text(value: &Value) -> String {
    marked(value.as_str().unwrap_or_default())
}

fn marked(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            let _ = write!(html, "<code>{}</code>", escape(part));
        } else {
            html.push_str(&escape(part));
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(
            marked("a `b<c>` \"d\""),
            "a <code>b&lt;c&gt;</code> &quot;d&quot;"
        );
        let schema = serde_json::json!({"oneOf": [
            {"type": "string"},
            {"$ref": "#/components/schemas/X"},
            {"type": ["integer", "null"], "minimum": 0, "maximum": 9},
            {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        ]});
        let shown = "string or <a href=\"#schema-X\">X</a> or integer or null, 0 to 9 or \
            array of <code>a</code>, <code>b</code>";
        assert_eq!(kind(&schema), shown);
    }
}
