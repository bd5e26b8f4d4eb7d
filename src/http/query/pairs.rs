//! The pairs of a query as serde reads them: each name once, with one value, or with several where a list is wanted.
//!
//! What is written is what counts: an empty value is one, and a value that is wanted once is refused when it comes twice.

use std::vec;

use serde::de::value::{Error, MapAccessDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Reads what is asked for.
///
/// # Errors
/// What is wrong, with the name before it.
pub(super) fn read<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Result<T, Error> {
    let mut named: Vec<(String, Values)> = Vec::new();
    for (name, value) in pairs {
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.0.push(value),
            None => named.push((name, Values(vec![value]))),
        }
    }
    T::deserialize(MapAccessDeserializer::new(Named { rest: named.into_iter(), present: None }))
}

struct Named {
    rest: vec::IntoIter<(String, Values)>,
    /// The one whose name was read.
    present: Option<(String, Values)>,
}

impl<'de> MapAccess<'de> for Named {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.present = self.rest.next();
        let name = self.present.as_ref().map(|(name, _)| name.as_str());
        name.map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (name, values) = self.present.take().ok_or_else(|| Error::custom("a value without a name"))?;
        seed.deserialize(values).map_err(|error| Error::custom(format!("{name}: {error}")))
    }
}

/// What is written for one name.
struct Values(Vec<String>);

impl Values {
    fn one(mut self) -> Result<String, Error> {
        self.0.pop().filter(|_| self.0.is_empty()).ok_or_else(|| Error::custom("write it once"))
    }
}

impl<'de> Deserializer<'de> for Values {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.one()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.one()?.parse().map_err(|_| Error::custom("write `true` or `false`"))?;
        visitor.visit_bool(value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.one()?.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Asked {
        list: Vec<String>,
        text: Option<String>,
        flag: Option<bool>,
    }

    fn asked(pairs: &[(&str, &str)]) -> Result<Asked, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(pairs).map_err(|error| error.to_string())
    }

    #[test]
    fn lists_come_one_by_one_and_everything_else_once() {
        let several = asked(&[("list", "a"), ("text", ""), ("list", "b,c"), ("flag", "false")]).unwrap();
        let list = vec!["a".to_owned(), "b,c".to_owned()];
        assert_eq!(several, Asked { list, text: Some(String::new()), flag: Some(false) });
        assert_eq!(asked(&[]), Ok(Asked::default()));
        for (pairs, why) in [
            (vec![("text", "a"), ("text", "a")], "text: write it once"),
            (vec![("flag", "yes")], "flag: write `true` or `false`"),
            (vec![("flag", "true"), ("flag", "true")], "flag: write it once"),
            (vec![("more", "")], "unknown field `more`, expected one of `list`, `text`, `flag`"),
        ] {
            assert_eq!(asked(&pairs), Err(why.to_owned()));
        }
    }
}
