//! The words of other tools, and ours.

/// What a word stands for.
#[derive(Debug)]
pub(super) enum To {
    /// These words of ours; a value that follows stays.
    Words(&'static str),
    /// Nothing: only the value that follows counts.
    Value,
    /// `--json`, if the value that follows is `json`.
    Json,
    /// No command line; this sentence helps.
    Note(&'static str),
}

use To::{Json, Note, Value, Words};

/// Names that are environments wherever they are typed.
pub(super) const ENVIRONMENTS: [&str; 9] =
    ["production", "prod", "staging", "live", "preview", "qa", "uat", "dev", "development"];

/// The ends of the names of archives.
pub(super) const ARCHIVES: [&str; 4] = [".tar", ".tar.gz", ".tgz", ".tar.zst"];

/// Words in the place of a command: of Capistrano, Deployer, Kamal, git, kubectl, Helm and Terraform, and plain English.
pub(super) const COMMANDS: &[(&[&str], To)] = &[
    (
        &[
            "undo",
            "revert",
            "back",
            "rewind",
            "roll-back",
            "previous",
            "reset",
            "downgrade",
            "rollout undo",
            "deploy:rollback",
            "deploy:revert",
            "roll back",
        ],
        Words("rollback"),
    ),
    (
        &[
            "list",
            "ls",
            "versions",
            "tags",
            "images",
            "release",
            "builds",
            "list releases",
            "get releases",
            "release list",
        ],
        Words("releases"),
    ),
    (&["version"], Words("--version")),
    (&["logs", "output", "app logs"], Words("log")),
    (
        &[
            "current",
            "state",
            "info",
            "ps",
            "details",
            "show",
            "describe",
            "st",
            "rollout status",
            "lock status",
            "app details",
            "deploy:status",
            "releases:current",
        ],
        Words("status"),
    ),
    (
        &[
            "push",
            "ship",
            "publish",
            "redeploy",
            "upgrade",
            "apply",
            "up",
            "release:create",
            "deploy:update",
            "deploy:all",
        ],
        Words("deploy"),
    ),
    (&["upload", "deploy:upload", "deploy:updating"], Words("stage")),
    (
        &[
            "switch",
            "promote",
            "use",
            "enable",
            "checkout",
            "goto",
            "deploy:publishing",
            "deploy:publish",
            "deploy:symlink",
            "deploy:symlink:release",
        ],
        Words("activate"),
    ),
    (&["clean", "cleanup", "gc", "purge", "deploy:cleanup", "deploy:finishing"], Words("prune")),
    (&["force-unlock", "deploy:unlock", "lock release", "release-lock"], Words("unlock")),
    (&["resume", "continue", "repair", "fix", "heal", "deploy:failed"], Words("recover")),
    (&["abort", "cancel", "stop"], Words("recover --back")),
    (&["audit", "events", "reflog", "hist", "activity", "rollout history", "deploy:log"], Words("history")),
    (&["doctor", "test", "plan", "ping", "preflight", "validate", "deploy:check", "dry-run", "dryrun"], Words("check")),
    (&["compare", "changes", "delta"], Words("diff")),
    (&["settings", "configuration", "show-config", "config:show"], Words("config")),
    (&["new", "create", "setup", "generate"], Words("init")),
    (&["import", "takeover", "migrate"], Words("adopt")),
    (&["keep", "protect", "hold"], Words("pin")),
    (&["unprotect", "unhold", "release-pin"], Words("unpin")),
    (&["fsck", "checksum", "integrity"], Words("verify")),
    (&["rehearse", "rehearsal", "simulate", "exercise"], Words("drill")),
    (&["completion", "complete"], Words("completions")),
    (&["manual", "manpage"], Words("man")),
    (
        &["delete", "remove", "rm", "destroy", "uninstall"],
        Note("`switchback prune --keep N` removes old releases; the current one and its way back always stay"),
    ),
    (&["lock"], Note("each command takes the lock itself; `switchback status` shows who holds it")),
    (
        &["exec", "run", "ssh", "shell", "console", "invoke"],
        Note("commands on the hosts are hooks, in the configuration; `ssh` runs others"),
    ),
    (
        &["start", "restart", "reload"],
        Note("`[hooks] after_switch` of the configuration restarts the application after each switch"),
    ),
    (&["env", "environment", "envs"], Note("`-e ENV` before the command selects an environment of the configuration")),
];

/// Options that a command does not have. The first row that fits counts; without commands, it is for all.
pub(super) const FLAGS: &[(&[&str], &[&str], To)] = &[
    (
        &["rollback"],
        &[
            "--version",
            "--release",
            "--revision",
            "--to-revision",
            "--to-release",
            "--tag",
            "--target",
            "--name",
            "--build",
            "-r",
            "-t",
            "-V",
        ],
        Words("--to"),
    ),
    (&["rollback"], &["--count", "--number", "--step", "--by", "-n"], Words("--steps")),
    (
        &["rollback"],
        &["--code-only", "--no-data", "--no-migrate", "--no-migrations", "--skip-migrations"],
        Words("--keep-data"),
    ),
    (&["rollback", "activate"], &["--no-verify", "--skip-verify"], Words("--verify=none")),
    (
        &["deploy", "stage", "drill"],
        &["--version", "--release", "--tag", "--build", "--as", "--id", "-t", "-V"],
        Words("--name"),
    ),
    (
        &["deploy", "stage", "drill"],
        &["--source", "--src", "--archive", "--artifact", "--dir", "--path", "--image"],
        Value,
    ),
    (&["deploy"], &["--if-current", "--expect", "--current", "--only-from"], Words("--from")),
    (&["deploy"], &["--commit", "--sha", "--rev", "--ref"], Words("--revision")),
    (&["activate", "pin", "unpin", "verify"], &["--to", "--name", "--release", "--version", "--tag", "--build"], Value),
    (&["log"], &["--operation", "--id", "--op"], Value),
    (
        &["log"],
        &["-f", "--follow"],
        Note("`log` shows operations that have ended; `-v` shows the output of a run while it runs"),
    ),
    (&["prune"], &["--keep-releases", "--retain", "--count", "--number", "-n", "-k"], Words("--keep")),
    (&["history"], &["--count", "--number", "--lines", "--tail", "--last"], Words("--limit")),
    (&["verify"], &["--deep", "--content", "--contents", "--checksum"], Words("--full")),
    (&["diff"], &["--summary", "--short", "--shortstat"], Words("--stat")),
    (&["adopt"], &["--tool", "--type"], Words("--from")),
    (&["recover"], &["--revert", "--undo", "--rollback", "--abort"], Words("--back")),
    (&["recover"], &["--continue", "--finish", "--resume"], Words("--forward")),
    (&["unlock"], &["-f"], Words("--force")),
    (
        &[],
        &["--hosts", "--hostname", "--server", "--servers", "--node", "--nodes", "--only", "--limit", "-H"],
        Words("--host"),
    ),
    (&[], &["--exclude", "--skip", "--without", "--not", "-x"], Words("--except")),
    (&[], &["--environment", "--stage", "--profile", "--destination", "-E", "-d"], Words("--env")),
    (&[], &["--config-file", "--file", "--conf", "--configuration", "-c"], Words("--config")),
    (
        &[],
        &["--noop", "--dryrun", "--dry", "--simulate", "--plan", "--pretend", "--what-if", "--check", "-n"],
        Words("--dry-run"),
    ),
    (
        &[],
        &["--assume-yes", "--no-confirm", "--non-interactive", "--no-interaction", "--no-input", "--confirm", "-y"],
        Words("--yes"),
    ),
    (&[], &["--message", "--comment", "--why", "--description", "--annotate"], Words("--reason")),
    (&[], &["--output", "--format", "-o"], Json),
    (&[], &["--path", "--dir", "--directory", "--deploy-to", "--deploy-path"], Words("--root")),
    (&[], &["--lock-timeout", "--wait-lock", "--wait-for-lock", "--timeout"], Words("--wait")),
    (&[], &["--trace", "--debug"], Words("--verbose")),
    (&[], &["--silent", "-s"], Words("--quiet")),
    (&[], &["--ignore-unreachable", "--skip-offline", "--keep-going"], Words("--skip-unreachable")),
    (&[], &["--force", "-f"], Note("no option overrides every refusal; each refusal names the one that does")),
    (&[], &["--parallel", "-j"], Note("`parallel` in the configuration is the number of hosts at once")),
    (&[], &["--user", "--port", "-u", "-p"], Note("a host is given as `--host USER@HOST:PORT`")),
    (&[], &["--identity", "-i"], Note("`[ssh] identity` of the configuration names the key")),
];
