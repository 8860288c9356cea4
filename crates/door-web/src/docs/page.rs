//! The document as HTML. It knows OpenAPI, and nothing of what is documented.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::language::Language;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

struct Page<'a> {
    document: &'a Value,
    language: Language,
    html: String,
}

/// Renders the whole page.
pub(super) fn render(document: &Value, language: Language) -> String {
    let mut page = Page { document, language, html: String::with_capacity(256 * 1024) };
    page.head();
    page.navigation();
    page.put("<main id=\"main\">");
    page.introduction();
    for tag in page.tags() {
        page.tag(tag);
    }
    page.operations();
    page.codes();
    page.schemas();
    page.put("</main></body></html>\n");
    page.html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text with `code` in it, as paragraphs and list items.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for paragraph in text.split("\n\n") {
        let is_list = paragraph.starts_with("- ");
        html.push_str(if is_list { "<ul><li>" } else { "<p>" });
        let escaped = escape(paragraph.strip_prefix("- ").unwrap_or(paragraph));
        let escaped = if is_list { escaped.replace("\n- ", "</li><li>") } else { escaped };
        html.push_str(&code_spans(&escaped));
        html.push_str(if is_list { "</li></ul>" } else { "</p>" });
    }
    html
}

fn code_spans(escaped: &str) -> String {
    let mut html = String::new();
    for (index, part) in escaped.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(part);
        }
    }
    html
}

fn inline(text: &str) -> String {
    code_spans(&escape(text))
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The type that a schema says, as a link where it has a name.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    let all = |list: &Value, glue: &str| {
        let parts: Vec<String> = list.as_array().into_iter().flatten().map(type_of).collect();
        parts.join(glue)
    };
    for (key, glue) in [("oneOf", " | "), ("anyOf", " | "), ("allOf", " &amp; ")] {
        if schema[key].is_array() {
            return all(&schema[key], glue);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| escape(&value.to_string())).collect();
        return values.join(" | ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("{}[]", type_of(&schema["items"])),
        Value::String(name) => escape(name),
        Value::Array(names) => {
            let name = |name: &Value| match name.as_str() {
                Some("array") => format!("{}[]", type_of(&schema["items"])),
                other => escape(other.unwrap_or_default()),
            };
            names.iter().map(name).collect::<Vec<_>>().join(" | ")
        }
        _ => "any".to_owned(),
    }
}

impl<'a> Page<'a> {
    fn put(&mut self, html: &str) {
        self.html.push_str(html);
    }

    fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        self.language.pick(english, chinese)
    }

    fn tags(&self) -> Vec<&'a Value> {
        self.document["tags"].as_array().into_iter().flatten().collect()
    }

    /// Path, method and operation of a tag.
    fn calls(&self, tag: &str) -> Vec<(&'a str, &'static str, &'a Value)> {
        let paths = self.document["paths"].as_object().into_iter().flatten();
        let calls =
            paths.flat_map(|(path, item)| METHODS.iter().map(move |method| (path.as_str(), *method, &item[*method])));
        calls.filter(|(.., operation)| operation["tags"][0] == tag).collect()
    }

    fn head(&mut self) {
        let title = self.say("Starling API", "Starling 接口文档");
        let skip = self.say("Skip to content", "跳到正文");
        let head = format!(
            "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><title>{title}</title><link rel=\"icon\" href=\"/favicon.svg\"><link rel=\"stylesheet\" \
             href=\"/v1/docs/style.css\"></head><body><a class=\"skip\" href=\"#main\">{skip}</a>",
            self.language.tag()
        );
        self.put(&head);
    }

    fn navigation(&mut self) {
        let label = self.say("Contents", "目录");
        let other =
            self.say("<a href=\"?lang=zh\" lang=\"zh-CN\">中文</a>", "<a href=\"?lang=en\" lang=\"en\">English</a>");
        let mut html = format!("<nav aria-label=\"{label}\">{other}");
        for tag in self.tags() {
            let name = text_of(tag, "name");
            let _ = write!(html, "<h2>{}</h2><ul>", escape(name));
            for (.., operation) in self.calls(name) {
                let (id, summary) = (text_of(operation, "operationId"), text_of(operation, "summary"));
                let _ = write!(html, "<li><a href=\"#{0}\">{1}</a></li>", escape(id), escape(summary));
            }
            html.push_str("</ul>");
        }
        let _ = write!(
            html,
            "<h2>{}</h2><ul><li><a href=\"#frames\">{}</a></li><li><a href=\"#errors\">{}</a></li><li><a href=\"#schemas\">{}</a></li></ul></nav>",
            self.say("Reference", "参考"),
            self.say("WebSocket operations", "WebSocket 操作"),
            self.say("Error codes", "错误码"),
            self.say("Types", "类型"),
        );
        self.put(&html);
    }

    fn introduction(&mut self) {
        let info = &self.document["info"];
        let source = self.say("The same as an OpenAPI 3.1 document", "OpenAPI 3.1 格式的同一文档");
        let html = format!(
            "<h1>{} <span class=\"quiet\">{}</span></h1>{}<p><a href=\"/v1/openapi.json\">{source}</a></p>",
            escape(text_of(info, "title")),
            escape(text_of(info, "version")),
            prose(text_of(info, "description"))
        );
        self.put(&html);
    }

    fn tag(&mut self, tag: &Value) {
        let name = text_of(tag, "name");
        let html = format!(
            "<section class=\"tag\"><h2 id=\"tag-{0}\">{0}</h2><p class=\"quiet\">{1}</p>",
            escape(name),
            escape(text_of(tag, "description"))
        );
        self.put(&html);
        for (path, method, operation) in self.calls(name) {
            self.call(path, method, operation);
        }
        self.put("</section>");
    }

    fn call(&mut self, path: &str, method: &str, operation: &Value) {
        let mut html = format!(
            "<article><h3 id=\"{}\">{}</h3><p class=\"call\"><span class=\"method {method}\">{}</span><code>{}</code></p>{}",
            escape(text_of(operation, "operationId")),
            escape(text_of(operation, "summary")),
            method.to_ascii_uppercase(),
            escape(path),
            prose(text_of(operation, "description"))
        );
        if operation["security"].as_array().is_some_and(Vec::is_empty) {
            let _ = write!(html, "<p class=\"quiet\">{}</p>", self.say("Needs no token.", "无需令牌。"));
        }
        self.put(&html);
        self.parameters(operation);
        self.body(operation);
        self.responses(operation);
        self.put("</article>");
    }

    fn table(&mut self, heads: &[&str], rows: &[Vec<String>]) {
        let mut html = "<div class=\"wide\"><table><thead><tr>".to_owned();
        for head in heads {
            let _ = write!(html, "<th scope=\"col\">{head}</th>");
        }
        html.push_str("</tr></thead><tbody>");
        for row in rows {
            let _ = write!(html, "<tr><td>{}</td></tr>", row.join("</td><td>"));
        }
        html.push_str("</tbody></table></div>");
        self.put(&html);
    }

    fn parameters(&mut self, operation: &Value) {
        let row = |parameter: &Value| {
            vec![
                format!("<code>{}</code>", escape(text_of(parameter, "name"))),
                escape(text_of(parameter, "in")),
                type_of(&parameter["schema"]),
                inline(text_of(parameter, "description")),
            ]
        };
        let rows: Vec<Vec<String>> = operation["parameters"].as_array().into_iter().flatten().map(row).collect();
        if !rows.is_empty() {
            let heads = [
                self.say("Parameter", "参数"),
                self.say("In", "位置"),
                self.say("Type", "类型"),
                self.say("What", "说明"),
            ];
            self.table(&heads, &rows);
        }
    }

    fn body(&mut self, operation: &Value) {
        let content = &operation["requestBody"]["content"]["application/json"];
        if content.is_null() {
            return;
        }
        let mut html = format!("<p>{}: {}</p>", self.say("Body", "请求体"), type_of(&content["schema"]));
        if !content["example"].is_null() {
            let example = serde_json::to_string_pretty(&content["example"]).unwrap_or_default();
            let _ = write!(html, "<pre><code>{}</code></pre>", escape(&example));
        }
        self.put(&html);
    }

    fn responses(&mut self, operation: &Value) {
        let row = |(status, response): (&String, &Value)| {
            let content = response["content"].as_object().and_then(|content| content.values().next());
            let type_name = content.map(|content| type_of(&content["schema"])).unwrap_or_default();
            let codes: Vec<String> = response["x-codes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|code| format!("<a href=\"#error-{0}\"><code>{0}</code></a>", escape(code)))
                .collect();
            let what = if codes.is_empty() { inline(text_of(response, "description")) } else { codes.join(" ") };
            vec![escape(status), type_name, what]
        };
        let rows: Vec<Vec<String>> = operation["responses"].as_object().into_iter().flatten().map(row).collect();
        let heads = [self.say("Status", "状态码"), self.say("Type", "类型"), self.say("What", "说明")];
        self.table(&heads, &rows);
    }

    /// The WebSocket's operations with their parameters and results.
    fn operations(&mut self) {
        let title = self.say("WebSocket operations", "WebSocket 操作");
        let example = "{\"id\": 1, \"op\": \"connect\", \"params\": {\"token\": \"…\", \"since\": 0}}\n\
            {\"id\": 2, \"op\": \"message.send\", \"params\": {\"room\": \"r\", \"client_id\": \"c-1\", \"content\": {\"type\": \"text\", \"text\": \"Hello!\"}}}";
        let html = format!(
            "<section class=\"part\"><h2 id=\"frames\">{title}</h2><p><a href=\"#schema-Request\">Request</a> · <a \
             href=\"#schema-Response\">Response</a> · <a href=\"#schema-Push\">Push</a></p><pre><code>{}</code></pre>",
            escape(example)
        );
        self.put(&html);
        let variants = self.document["components"]["schemas"]["Operation"]["oneOf"].as_array();
        let row = |variant: &Value| {
            let properties = &variant["properties"];
            vec![
                format!("<code>{}</code>", escape(properties["op"]["enum"][0].as_str().unwrap_or_default())),
                type_of(&properties["params"]),
                inline(text_of(variant, "description")),
            ]
        };
        let rows: Vec<Vec<String>> = variants.into_iter().flatten().map(row).collect();
        self.table(&["op", self.say("Parameters", "参数"), self.say("Result", "结果")], &rows);
        self.put("</section>");
    }

    fn codes(&mut self) {
        let title = self.say("Error codes", "错误码");
        self.put(&format!("<section class=\"part\"><h2 id=\"errors\">{title}</h2>"));
        let codes = self.document["components"]["schemas"]["ErrorCode"]["x-codes"].as_array();
        let row = |info: &Value| {
            let retry = if info["retryable"] == true { self.say("yes", "是") } else { "" };
            vec![
                format!("<code id=\"error-{0}\">{0}</code>", escape(text_of(info, "code"))),
                info["status"].to_string(),
                retry.to_owned(),
                escape(text_of(info, "en")),
                format!("<span lang=\"zh-CN\">{}</span>", escape(text_of(info, "zh"))),
            ]
        };
        let rows: Vec<Vec<String>> = codes.into_iter().flatten().map(row).collect();
        let heads = [
            self.say("Code", "代码"),
            self.say("Status", "状态码"),
            self.say("Retryable", "可重试"),
            "English",
            "中文",
        ];
        self.table(&heads, &rows);
        self.put("</section>");
    }

    fn schemas(&mut self) {
        let title = self.say("Types", "类型");
        self.put(&format!("<section class=\"part\"><h2 id=\"schemas\">{title}</h2>"));
        for (name, schema) in self.document["components"]["schemas"].as_object().into_iter().flatten() {
            let html = format!(
                "<article><h3 id=\"schema-{0}\">{0}</h3>{1}",
                escape(name),
                prose(text_of(schema, "description"))
            );
            self.put(&html);
            self.schema(schema);
            self.put("</article>");
        }
        self.put("</section>");
    }

    fn schema(&mut self, schema: &Value) {
        if let Some(properties) = schema["properties"].as_object() {
            return self.properties(properties, &schema["required"]);
        }
        let parts = ["oneOf", "allOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
        match parts {
            Some(parts) => {
                for part in parts {
                    if part["properties"].is_object() {
                        self.put(&prose(text_of(part, "description")));
                        self.schema(part);
                    } else {
                        self.put(&format!("<p>{} {}</p>", type_of(part), inline(text_of(part, "description"))));
                    }
                }
            }
            None => self.put(&format!("<p>{}</p>", type_of(schema))),
        }
    }

    fn properties(&mut self, properties: &Map<String, Value>, required: &Value) {
        let is_required = |name: &str| required.as_array().is_some_and(|list| list.iter().any(|item| item == name));
        let row = |(name, schema): (&String, &Value)| {
            let optional = if is_required(name) { "" } else { "?" };
            vec![
                format!("<code>{}{optional}</code>", escape(name)),
                type_of(schema),
                inline(text_of(schema, "description")),
            ]
        };
        let rows: Vec<Vec<String>> = properties.iter().map(row).collect();
        self.table(&[self.say("Field", "字段"), self.say("Type", "类型"), self.say("What", "说明")], &rows);
    }
}
