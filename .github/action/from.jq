# Which release must be current for a deploy of $name: $from, which was current when its pipeline began, so that the deploy
# overtakes no newer one. What is current now will do, too, where $name was current before, because somebody pressed a
# button to return to it; and where an earlier number of the same name is current: build-16 for build-17.
def number: if type == "string" then capture("\\A(?<series>.*?)(?<number>[0-9]{1,15})\\z") // null else null end;
def is_earlier: number as $one | ($name | number) as $other
    | $one != null and $other != null and $one.series == $other.series and ($one.number | tonumber) < ($other.number | tonumber);

select(.type == "report")
# A host that could not be asked says nothing.
| [.hosts[] | select(.error | not)] as $read
| ([$read[].current | select(. != $name)] | unique) as $now
| if any($read[].releases[]?; .name == $name and .state != "staged")
  then if $now == [] then $name elif ($now | length) == 1 then $now[0] // "" else "" end
  elif ($now | length) == 1 and ($now[0] | is_earlier) then $now[0]
  else $from end
