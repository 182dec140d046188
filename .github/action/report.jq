# What the summary, the annotations and the outputs share.

# The last report of these events, or one that says that there is none: the program was killed, or never ran.
def report($events):
    [$events[] | select(.type == "report")] | last // {outcome: "", hosts: [], error: {message: "switchback printed no report"}};

# The release that a report is about, or the one that is current on all of its hosts that could be asked. Only a valid name.
def release:
    (.release // ([.hosts[] | select(.after != null or (.error | not)) | .after] | unique | if length == 1 then .[0] else null end) // "")
    | if type == "string" and test("\\A[A-Za-z0-9][A-Za-z0-9._+-]{0,127}\\z") then . else "" end;
