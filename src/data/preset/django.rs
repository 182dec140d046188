//! Django. Each application has its own migrations, so the version names them all: `auth=0012_x,shop=0003_y`.

use super::answer::{Answer, Tool};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("python3 manage.py showmigrations --no-color"),
    apply: "python3 manage.py migrate --no-input",
    revert: Some(REVERT),
    advice: "",
    read,
};

/// Migrates every application that differs to its version in the target, or to zero. The migrations of one
/// application that the target has do not need any that the target lacks, so no step undoes another.
const REVERT: &str = r#"now=$(python3 manage.py showmigrations --no-color) || exit
target=",$SWITCHBACK_DATA_TARGET,"
for at in $(printf '%s\n' "$now" | awk '
    /^[A-Za-z_]/ { app = $1 }
    $1 == "[X]" || $1 == "[-]" { if (!(app in last)) order[++n] = app; last[app] = $2 }
    END { for (i = 1; i <= n; i++) print order[i] "=" last[order[i]] }'); do
    case $target in
    *",$at,"*) continue ;;
    *",${at%%=*}="*) to=${target#*",${at%%=*}="} to=${to%%,*} ;;
    *) to=zero ;;
    esac
    python3 manage.py migrate --no-input "${at%%=*}" "$to" || exit
done"#;

fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    let text = answer.stdout();
    let mut apps: Vec<(&str, &str)> = Vec::new();
    let mut app = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), app) {
            ([label], _) if is_label(line) => app = Some(*label),
            // A squashed migration that is not recorded yet is applied nevertheless.
            (["[X]" | "[-]", name, ..], Some(app)) => match apps.last_mut() {
                Some((last, migration)) if *last == app => *migration = name,
                _ => apps.push((app, name)),
            },
            _ => {}
        }
    }
    if app.is_none() && !text.trim().is_empty() {
        return Err(answer.unclear("printed no application with migrations"));
    }
    let apps: Vec<String> = apps.iter().map(|(app, migration)| format!("{app}={migration}")).collect();
    DataVersion::new(&apps.join(","))
}

/// Whether the line is the label of an application: one word at the start of the line.
fn is_label(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && line.trim_end().chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_django_prints() {
        let read = |status, out: &str| Preset::Django.read(status, out.as_bytes(), b"").map(String::from);
        let some = "auth\n [X] 0001_initial\n [X] 0002_longer\n [ ] 0003_later\nblog\n [ ] 0001_initial\nempty\n \
                    (no migrations)\nshop\n [X] 0001_squashed_0003 (3 squashed migrations)\n";
        assert_eq!(read(0, some), Ok("auth=0002_longer,shop=0001_squashed_0003".into()));
        assert_eq!(read(0, "shop\n [ ] 0001_initial\n"), Ok(String::new()));
        let squashed = "shop\n [-] 0001_s (2 squashed migrations) run 'manage.py migrate' to finish recording.\n";
        assert_eq!(read(0, squashed), Ok("shop=0001_s".into()));
        assert!(read(1, some).is_err());
        assert!(read(0, "nothing of the kind\n").is_err());
    }
}
