# At most ten annotations, which is what the service shows of a step: errors, then warnings. An error of a host that the
# error of the run repeats is no annotation of its own.
include "report";

def data: gsub("%"; "%25") | gsub("\r"; "%0D") | gsub("\n"; "%0A");
def property: data | gsub(":"; "%3A") | gsub(","; "%2C");
def annotation: "::\(.level) title=\(.title | tostring | property)::\(.text | tostring | .[:2000] | data)";

[inputs] as $events
| report($events)
| (if .error then [{level: "error", title: "switchback \($command), exit code \($code)", text: .error.message}] else [] end
  + ((.error.message // "") as $run
     | [.hosts[] | select(.error) | select(.error.message as $of | $run | contains($of) | not) | {level: "error", title: .host, text: .error.message}])
  + [$events[] | select(.type == "warning") | {level: "warning", title: (.host // "switchback"), text: .message}])
| if length > 10 then .[:9] + [{level: "warning", title: "switchback", text: "\(length - 9) more: see the summary and the log"}] else . end
| .[] | annotation
