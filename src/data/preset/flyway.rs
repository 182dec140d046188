//! Flyway. `undo -target` undoes the target too, so the script undoes single steps until `info` shows the
//! target.

use serde::Deserialize;

use super::answer::{Answer, Tool, nothing};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("flyway info -outputType=json"),
    apply: "flyway migrate",
    revert: Some(REVERT),
    advice: "",
    read,
};

/// Undoes one version after another until the target is reached; a target that Flyway does not know is an error.
const REVERT: &str = r#"target=$SWITCHBACK_DATA_TARGET
info() { out=$(flyway info -outputType=json) || return; out=$(printf '%s' "$out" | tr -d ' \n\r\t'); }
at() {
    case $out in *'"schemaVersion":"'*) ;; *) return ;; esac
    printf '%s' "${out#*'"schemaVersion":"'}" | cut -d'"' -f1
}
info || exit
case $target,$out in ,* | *'"version":"'"$target"'"'*) ;; *) echo "$target is unknown to Flyway" >&2; exit 1 ;; esac
now=$(at)
while [ "$now" != "$target" ]; do
    flyway undo || exit
    was=$now
    info || exit
    now=$(at)
    [ "$now" != "$was" ] || { echo "undo left the version at $was" >&2; exit 1; }
done"#;

/// The parsed part of `info`.
#[derive(Deserialize)]
struct Info {
    #[serde(rename = "schemaVersion")]
    schema_version: Option<String>,
    #[expect(dead_code, reason = "its presence tells the answer from an error")]
    #[serde(rename = "migrations")]
    migrations: Vec<serde_json::Value>,
}

fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    let text = answer.stdout();
    let json = text.find('{').map_or("", |at| &text[at..]);
    let info: Info = serde_json::from_str(json).map_err(|_| answer.unclear("printed no answer to `info`"))?;
    info.schema_version.map_or_else(nothing, |version| DataVersion::new(&version))
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_flyway_prints() {
        let read = |status, out: &str| Preset::Flyway.read(status, out.as_bytes(), b"").map(String::from);
        let info = |version: &str| {
            format!("{{\n  \"schemaVersion\": {version},\n  \"schemaName\": \"main\",\n  \"migrations\": []\n}}\n")
        };
        assert_eq!(read(0, &info("\"1.2\"")), Ok("1.2".into()));
        assert_eq!(read(0, &info("null")), Ok(String::new()));
        assert_eq!(read(0, "{\"schemaName\":\"main\",\"migrations\":[]}"), Ok(String::new()));
        assert!(read(0, "{\"error\":{\"message\":\"x\"}}").is_err());
        assert!(read(1, &info("\"1.2\"")).is_err());
        assert!(read(0, "").is_err());
    }
}
