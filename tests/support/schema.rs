//! [`Schema`]: validates JSON by a JSON Schema, as far as the published schemas use it. Any other keyword is a failure,
//! so that none is passed over. A crate for the whole standard would bring some forty others.

use serde_json::Value;

pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("JSON"))
    }

    /// Returns the schema as JSON.
    pub(crate) fn json(&self) -> &Value {
        &self.0
    }

    /// Returns why `value` is not valid; `None` if it is.
    pub(crate) fn refuses(&self, value: &Value) -> Option<String> {
        self.check(&self.0, value, "").err()
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for (keyword, wants) in schema.as_object().expect("a schema") {
            let holds = match keyword.as_str() {
                "$schema" | "title" | "description" | "definitions" | "default" | "format" => true,
                "$ref" => {
                    let pointer = wants.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
                    self.check(self.0.pointer(pointer).expect("it is defined"), value, at)?;
                    true
                }
                "type" => match wants.as_array() {
                    Some(types) => types.iter().any(|one| is_of(one.as_str().expect("a type"), value)),
                    None => is_of(wants.as_str().expect("a type"), value),
                },
                "const" => wants == value,
                "minItems" => {
                    value.as_array().is_none_or(|items| items.len() as u64 >= wants.as_u64().expect("a number"))
                }
                "maxItems" => {
                    value.as_array().is_none_or(|items| items.len() as u64 <= wants.as_u64().expect("a number"))
                }
                "enum" => wants.as_array().expect("values").contains(value),
                "minimum" => value.as_i64().is_none_or(|number| number >= wants.as_i64().expect("a number")),
                "pattern" => value.as_str().is_none_or(|text| matches(wants.as_str().expect("a pattern"), text)),
                "required" => value.as_object().is_none_or(|object| {
                    wants.as_array().expect("keys").iter().all(|key| object.contains_key(key.as_str().expect("a key")))
                }),
                "anyOf" => wants.as_array().expect("schemas").iter().any(|one| self.check(one, value, at).is_ok()),
                "allOf" => {
                    wants.as_array().expect("schemas").iter().try_for_each(|one| self.check(one, value, at))?;
                    true
                }
                "oneOf" => {
                    let holds = |one: &&Value| self.check(one, value, at).is_ok();
                    wants.as_array().expect("schemas").iter().filter(holds).count() == 1
                }
                "not" => self.check(wants, value, at).is_err(),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        // A list has a schema for each place.
                        let of = if wants.is_array() { &wants[index] } else { wants };
                        self.check(of, item, &format!("{at}[{index}]"))?;
                    }
                    true
                }
                "properties" | "additionalProperties" => {
                    self.members(schema, value, at)?;
                    true
                }
                other => panic!("{other} is not known here"),
            };
            if !holds {
                return Err(format!("{at}: {value} breaks {keyword}: {wants}"));
            }
        }
        Ok(())
    }

    fn members(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for (key, member) in value.as_object().into_iter().flatten() {
            let at = format!("{at}.{key}");
            match schema.pointer(&format!("/properties/{key}")).or(schema.get("additionalProperties")) {
                Some(Value::Bool(false)) => return Err(format!("{at} is unknown")),
                Some(of) => self.check(of, member, &at)?,
                None => {}
            }
        }
        Ok(())
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        other => panic!("{other} is not known here"),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    assert_eq!(pattern, "[0-9].*[A-Za-z]$", "no other pattern is known here");
    text.contains(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_alphabetic())
}
