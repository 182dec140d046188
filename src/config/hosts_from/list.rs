//! The output of the command that lists the hosts: a host on each line, or JSON as `ansible-inventory --list` prints.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    address::Address,
    config::{
        HostConfig, HostRange,
        range::{MAX_HOSTS, pair},
        select::{is_host_name, not_a_host_name},
    },
    path::HostPath,
};

/// Parses the output. Stops soon beyond the maximum number of hosts.
pub(super) fn parse(output: &[u8], root: &HostPath) -> Result<Vec<HostConfig>, String> {
    let text = std::str::from_utf8(output).map_err(|error| {
        let lines = output[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        format!("line {lines} of its output is not UTF-8")
    })?;
    if text.trim_start().starts_with('{') { inventory(text, root) } else { lines(text, root) }
}

fn lines(text: &str, root: &HostPath) -> Result<Vec<HostConfig>, String> {
    let mut hosts = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
        if !line.is_empty() {
            let listed = hosts_of(line, root).map_err(|error| format!("line {} of its output: {error}", at + 1))?;
            hosts.extend(listed);
        }
        if hosts.len() > MAX_HOSTS {
            break;
        }
    }
    Ok(hosts)
}

/// Parses `[user@]host[:port]` or `name=[user@]host[:port]`, with ranges.
fn hosts_of(line: &str, root: &HostPath) -> Result<Vec<HostConfig>, String> {
    let (names, addresses) =
        line.split_once('=').map_or((None, line), |(names, rest)| (Some(names.trim()), rest.trim()));
    let range = |text: &str| text.parse::<HostRange>().map_err(|error| error.to_string());
    let addresses = range(addresses)?.addresses().map_err(|error| error.to_string())?;
    let names = names.map(range).transpose()?.map(|names| names.hosts().to_vec());
    if let Some(wrong) = names.iter().flatten().find(|name| !is_host_name(name)) {
        return Err(not_a_host_name(wrong));
    }
    let pairs = pair(names, addresses)?;
    Ok(pairs.into_iter().map(|(name, to)| HostConfig::ssh(to, root.clone()).named(name)).collect())
}

#[derive(Debug, Default, Deserialize)]
struct Group {
    #[serde(rename = "hosts", default)]
    hosts: Vec<String>,
    #[serde(rename = "children", default)]
    children: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Meta {
    #[serde(rename = "hostvars", default)]
    hostvars: BTreeMap<String, Variables>,
}

/// The variables that say how to reach a host. All others mean nothing here. Ansible still obeys the older names, and
/// prefers them.
#[derive(Debug, Default, Deserialize)]
struct Variables {
    #[serde(rename = "ansible_host")]
    host: Option<Value>,
    #[serde(rename = "ansible_ssh_host")]
    old_host: Option<Value>,
    #[serde(rename = "ansible_port")]
    port: Option<Value>,
    #[serde(rename = "ansible_ssh_port")]
    old_port: Option<Value>,
    #[serde(rename = "ansible_user")]
    user: Option<Value>,
    #[serde(rename = "ansible_ssh_user")]
    old_user: Option<Value>,
    #[serde(rename = "ansible_connection")]
    connection: Option<Value>,
}

/// Parses an inventory: the hosts of the group `all` and of the groups below it, each once.
fn inventory(text: &str, root: &HostPath) -> Result<Vec<HostConfig>, String> {
    let wrong = |error: serde_json::Error| format!("its output is not an inventory in JSON: {error}");
    let mut groups: BTreeMap<String, Value> = serde_json::from_str(text).map_err(wrong)?;
    let meta =
        groups.remove("_meta").map(serde_json::from_value::<Meta>).transpose().map_err(wrong)?.unwrap_or_default();
    let mut next = vec!["all".to_owned()];
    if !groups.contains_key("all") {
        return Err("its output is JSON without the group \"all\" of an inventory".to_owned());
    }
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    while let Some(name) = next.pop() {
        // A group that has no hosts is not printed; one that was walked through is gone too.
        let Some(group) = groups.remove(&name) else { continue };
        let group: Group =
            serde_json::from_value(group).map_err(|error| format!("group {name:?} of its output: {error}"))?;
        names.extend(group.hosts.into_iter().filter(|host| seen.insert(host.clone())));
        next.extend(group.children.into_iter().rev());
    }
    let none = Variables::default();
    let host = |name: &String| {
        host(name, meta.hostvars.get(name).unwrap_or(&none), root)
            .map_err(|error| format!("host {name:?} of its output: {error}"))
    };
    names.iter().take(MAX_HOSTS + 1).map(host).collect()
}

fn host(name: &str, variables: &Variables, root: &HostPath) -> Result<HostConfig, String> {
    if !is_host_name(name) {
        return Err(not_a_host_name(name));
    }
    match variable("ansible_connection", variables.connection.as_ref())?.as_deref() {
        Some("local" | "ansible.builtin.local") => return Ok(HostConfig::local(root.clone()).named(name)),
        None | Some("ssh" | "smart" | "paramiko" | "paramiko_ssh" | "ansible.builtin.ssh") => {}
        Some(other) => {
            return Err(format!("its `ansible_connection` is {other:?}, and only `ssh` and `local` are possible"));
        }
    }
    let either = |key: &str, old: &Option<Value>, value: &Option<Value>| {
        Ok::<_, String>(
            variable(&format!("ansible_ssh_{key}"), old.as_ref())?
                .or(variable(&format!("ansible_{key}"), value.as_ref())?),
        )
    };
    let host = either("host", &variables.old_host, &variables.host)?.unwrap_or_else(|| name.to_owned());
    let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host };
    let user =
        either("user", &variables.old_user, &variables.user)?.map_or_else(String::new, |user| format!("{user}@"));
    let port =
        either("port", &variables.old_port, &variables.port)?.map_or_else(String::new, |port| format!(":{port}"));
    let address: Address = format!("{user}{host}{port}").parse().map_err(|error| format!("{error}"))?;
    Ok(HostConfig::ssh(address, root.clone()).named(name))
}

/// Returns the text of a variable. Ansible marks values of others: `{"__ansible_unsafe": "10.0.0.7"}`.
fn variable(key: &str, value: Option<&Value>) -> Result<Option<String>, String> {
    match value.map(|value| value.get("__ansible_unsafe").unwrap_or(value)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("its `{key}` is neither text nor a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;

    fn parsed(output: &str) -> Result<Vec<String>, String> {
        let shown = |host: &HostConfig| match &host.place {
            Place::Local => host.name.clone(),
            Place::Ssh(address) => format!("{} {address}", host.name),
        };
        let root = "/srv/shop".parse().expect("a path");
        parse(output.as_bytes(), &root).map(|hosts| hosts.iter().map(shown).collect())
    }

    fn refused(output: &str) -> String {
        parsed(output).expect_err(output)
    }

    #[test]
    fn a_host_on_each_line() {
        let output = "# of today\n\nweb1\r\n  deploy@web2:2222  # the second\ndb = root@[::1]:22\nw[1-2]=10.0.0.[7,9]";
        let hosts = ["web1 web1", "web2 deploy@web2:2222", "db root@[::1]:22", "w1 10.0.0.7", "w2 10.0.0.9"];
        assert_eq!(parsed(output).expect("hosts"), hosts);
        assert_eq!(parsed(" \n# none\n").expect("none"), <[String; 0]>::default());
    }

    /// A listed host meets the same checks as one in the file, and none acts on a shell. FAULTS.md N23.
    #[test]
    fn a_wrong_line_is_named() {
        for (line, why) in [
            ("-oProxyCommand=x", "\"-oProxyCommand\" is not a host name"),
            ("-Fx", "is not a host address"),
            ("web1 web2", "is not a host address"),
            ("$(id)", "is not a host address"),
            ("web1;id", "is not a host address"),
            ("web\u{1b}c", "is not a host address"),
            ("a b=web1", "is not a host name"),
            ("=web1", "is not a host name"),
            ("web1=", "is not a host address"),
            ("web[1-", "a bracket is not closed"),
            ("web[1-3]=10.0.0.[1-2]", "2 addresses for 3 names"),
            ("[{\"host\": \"web1\"}]", "is not a host address"),
        ] {
            let error = refused(&format!("web0\n{line}\n"));
            assert!(error.starts_with("line 2 of its output: ") && error.contains(why), "{line}: {error}");
        }
        assert_eq!(
            parse(b"web1\nw\xffb\n", &"/a".parse().expect("a path")),
            Err("line 2 of its output is not UTF-8".into())
        );
        assert_eq!(parsed(&"w[1-4096]\n".repeat(9)).map(|hosts| hosts.len()), Ok(2 * MAX_HOSTS));
    }

    #[test]
    fn an_inventory_has_each_host_once_in_the_order_of_its_groups() {
        let output = r#"{
            "_meta": {"hostvars": {
                "web1": {"ansible_host": {"__ansible_unsafe": "10.0.0.7"}, "ansible_port": 2222, "ansible_user": "deploy", "x": [1]},
                "web2": {"ansible_ssh_host": "fe80::1", "ansible_host": "web2.example.com", "ansible_ssh_port": "22"},
                "here": {"ansible_connection": "local"}
            }, "profile": "inventory_legacy"},
            "all": {"children": ["ungrouped", "web", "db", "gone"]},
            "db": {"hosts": ["db1", "web1"], "children": ["all"], "vars": {}},
            "ungrouped": {"hosts": ["here"]},
            "web": {"hosts": ["web1"], "children": ["edge"]},
            "edge": {"hosts": ["web2"]},
            "elsewhere": {"hosts": ["no"]}
        }"#;
        let hosts = ["here", "web1 deploy@10.0.0.7:2222", "web2 [fe80::1]:22", "db1 db1"];
        assert_eq!(parsed(output).expect("hosts"), hosts);
        assert_eq!(parsed(r#"{"all": {"children": ["ungrouped"]}}"#).expect("none"), <[String; 0]>::default());
    }

    #[test]
    fn a_wrong_inventory_says_where() {
        let of = |variables: &str| format!(r#"{{"_meta":{{"hostvars":{{"w":{variables}}}}},"all":{{"hosts":["w"]}}}}"#);
        for (output, why) in [
            ("{", "not an inventory in JSON"),
            ("{}", "without the group \"all\""),
            (r#"{"web": ["w"]}"#, "without the group \"all\""),
            (r#"{"all": ["w"]}"#, "group \"all\" of its output"),
            (r#"{"all": {"hosts": ["-w"]}}"#, "\"-w\" is not a host name"),
            (&of(r#"{"ansible_host": "-oProxyCommand=x"}"#), "host \"w\" of its output: \"-oProxyCommand=x\" is not"),
            (&of(r#"{"ansible_host": "{{ lookup('x') }}"}"#), "is not a host address"),
            (&of(r#"{"ansible_user": "a b"}"#), "the user must be"),
            (&of(r#"{"ansible_port": "ssh"}"#), "the port must be"),
            (&of(r#"{"ansible_port": [22]}"#), "its `ansible_port` is neither text nor a number"),
            (&of(r#"{"ansible_connection": "docker"}"#), "only `ssh` and `local`"),
        ] {
            let error = refused(output);
            assert!(error.contains(why), "{output}: {error}");
        }
    }
}
