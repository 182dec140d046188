# The table of the hosts, as Markdown for the job's summary.
include "report";

# Text that is nothing but text in a cell: everything that Markdown or HTML might read is a numeric entity.
def plain($limit):
    (. // "") | tostring | if length > $limit then .[:$limit] + "…" else . end | explode
    | map(if . < 32 or . == 127 then " " elif . < 128 and ([.] | implode | test("[^A-Za-z0-9 ,]")) then "&#\(.);" else [.] | implode end)
    | add // "";

# A summary of more than 1 MiB is dropped: this many bytes of rows fit, with what stands above them.
900000 as $most
| [inputs] as $events
| report($events)
| .hosts as $hosts
| ($hosts | map(select(.error)) + map(select(.error | not))) as $sorted
| [foreach $sorted[] as $host ({bytes: 0};
    ($host | "| \(.host | plain(80)) | \(.outcome | plain(40)) | \(.before | plain(128)) | \(.after | plain(128)) | \(.error.message | plain(300)) |") as $row
    | {bytes: (.bytes + ($row | utf8bytelength) + 1), $row};
    select(.bytes <= $most) | .row)] as $rows
| "### switchback \($command): \(.outcome | if . == "" then "no report" else plain(40) end) (exit code \($code))\n",
  (if .error then "\(.error.message | plain(2000))\n" else empty end),
  (if .error.hint then "Next: \(.error.hint | plain(1000))\n" else empty end),
  (if $hosts == [] then empty else
    "| host | outcome | before | after | error |", "| --- | --- | --- | --- | --- |",
    $rows[], ""
  end),
  (if ($hosts | length) > ($rows | length) then "\(($hosts | length) - ($rows | length)) more hosts are not shown.\n" else empty end)
