# A line of the log for an event. Characters that control a terminal, or end a line, are spaces.
def at: if .host then "\(.host): " else "" end;
def count: if . == 1 then "1 host" else "\(.) hosts" end;
def line:
    if .type == "started" then "\(.command): \(.hosts | count)"
    elif .type == "planned" then .plan[]
    elif .type == "phase" then "\(.phase): \(.hosts | count)"
    elif .type == "waiting" then at + "waiting for the lock of \(.lock.owner.by // "an unknown user")"
    elif .type == "uploaded" then at + "uploaded \(.files) files, copied \(.files_copied)"
    elif .type == "switched" then at + "\(.before // "nothing") -> \(.after // "nothing")"
    elif .type == "host-failed" then at + "failed in \(.phase): \(.error.message)"
    elif .type == "hook-output" then at + "\(.hook): \(.line)"
    elif .type == "hook-ended" then at + "\(.hook) \(.end)"
    elif .type == "answered" then at + "\(.question): \(.answer)"
    elif .type == "warning" then "warning: " + at + .message
    elif .type == "report" and .error then "error: \(.error.message)", (.error.hint // empty | "next: " + .)
    elif .type == "report" then "\(.outcome)"
    else empty end;

line | gsub("[\\x00-\\x1f\\x7f]"; " ")
