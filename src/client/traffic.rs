//! `hot-keys` and `big-values`: what the server has seen lately of keys and values, by samples.

use amaters_proto::admin::v1::{BigValue, BigValuesRequest, HotKey, HotKeysRequest};
use clap::Args;
use serde_json::{Map, Value, json};

use super::{
    Session,
    entry::{name, put},
    failure::Failure,
    jobs::stub,
    output::{Form, columns},
};

#[derive(Debug, Args)]
pub(crate) struct HotKeys {
    /// So many keys.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct BigValues {
    /// So many values.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl HotKeys {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let output = session.output;
        let connection = session.connection().await?;
        let request = HotKeysRequest { limit: self.limit };
        let request = connection.call(request, Some(connection.timeout()));
        let answer = stub(connection).hot_keys(request).await?.into_inner();
        if output.form != Form::Table {
            return output.show(&json!({
                "keys": answer.keys.iter().map(hot_key).collect::<Vec<_>>(),
                "sampled_one_in": answer.sampled_one_in,
                "window_seconds": answer.window_seconds,
                "samples": answer.samples,
                "requests_per_second": answer.requests_per_second,
                "others_per_second_max": answer.others_per_second_max,
            }));
        }
        let head = ["REQUESTS/S", "LEAST", "MOST", "WRITES", "SHARD", "COLLECTION", "KEY"];
        let rows = answer.keys.iter().map(|key| {
            vec![
                format!("{:.1}", key.requests_per_second),
                format!("{:.1}", key.requests_per_second_least),
                format!("{:.1}", key.requests_per_second_most),
                format!("{:.0} %", percent(key.write_samples, key.samples)),
                key.shard.to_string(),
                key.collection.clone(),
                shown(&key.key, key.key_bytes),
            ]
        });
        let mut text = table(head.map(str::to_owned).to_vec(), rows.collect());
        text.push_str(&format!(
            "about {:.0} requests/s for single keys in the last {:.0} s, by {} samples, one of {};\n\
             no other key had more than {:.1}/s (each bound is right in 39 of 40 cases)\n",
            answer.requests_per_second,
            answer.window_seconds,
            answer.samples,
            answer.sampled_one_in,
            answer.others_per_second_max,
        ));
        output.raw(text.as_bytes())
    }
}

impl BigValues {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let output = session.output;
        let connection = session.connection().await?;
        let request = BigValuesRequest { limit: self.limit };
        let request = connection.call(request, Some(connection.timeout()));
        let answer = stub(connection).big_values(request).await?.into_inner();
        if output.form != Form::Table {
            return output.show(&json!({
                "values": answer.values.iter().map(big_value).collect::<Vec<_>>(),
                "window_seconds": answer.window_seconds,
            }));
        }
        let head = ["BYTES", "SHARD", "COLLECTION", "KEY"];
        let rows = answer.values.iter().map(|value| {
            vec![
                value.value_bytes.to_string(),
                value.shard.to_string(),
                value.collection.clone(),
                shown(&value.key, value.key_bytes),
            ]
        });
        let mut text = table(head.map(str::to_owned).to_vec(), rows.collect());
        let seconds = answer.window_seconds;
        text.push_str(&format!(
            "the largest that were read or written in the last {seconds:.0} s\n"
        ));
        output.raw(text.as_bytes())
    }
}

fn table(head: Vec<String>, rows: Vec<Vec<String>>) -> String {
    columns([vec![head], rows].concat())
}

fn percent(part: u64, all: u64) -> f64 {
    100.0 * part as f64 / (all as f64).max(1.0)
}

/// A key, of which the server tells the first bytes.
fn shown(key: &[u8], key_bytes: u64) -> String {
    let text = name(key);
    if key.len() as u64 == key_bytes { text } else { format!("{text}… ({key_bytes} bytes)") }
}

fn key_object(collection: &str, key: &[u8], key_bytes: u64, shard: u32) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("collection".into(), collection.into());
    put(&mut object, "key", key, None);
    object.insert("key_bytes".into(), key_bytes.into());
    object.insert("shard".into(), shard.into());
    object
}

fn hot_key(key: &HotKey) -> Value {
    let mut object = key_object(&key.collection, &key.key, key.key_bytes, key.shard);
    object.insert("samples".into(), key.samples.into());
    object.insert("write_samples".into(), key.write_samples.into());
    object.insert("requests_per_second".into(), key.requests_per_second.into());
    object.insert("requests_per_second_least".into(), key.requests_per_second_least.into());
    object.insert("requests_per_second_most".into(), key.requests_per_second_most.into());
    Value::Object(object)
}

fn big_value(value: &BigValue) -> Value {
    let mut object = key_object(&value.collection, &value.key, value.key_bytes, value.shard);
    object.insert("value_bytes".into(), value.value_bytes.into());
    object.insert("seen_at_ms".into(), value.seen_at_ms.into());
    Value::Object(object)
}
