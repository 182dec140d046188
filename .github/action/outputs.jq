# The outputs of the step, one on each line. No value holds a line break, which would set another output.
include "report";

[inputs] as $all
| report($all)
| "release=\(release)",
  "outcome=\(.outcome | if test("\\A[a-z-]*\\z") then . else "" end)",
  "exit-code=\($code)",
  "report=\($events | gsub("[\r\n]"; ""))"
