//! Hot keys and big values, of all reactors together.

use std::{rc::Rc, time::Instant};

use amaters_proto::admin::v1 as wire;

use super::of_all;
use crate::{
    core::Core,
    failure::Failure,
    traffic::{Answer, SAMPLED_ONE_IN},
};

/// Keys and values in an answer, where nobody says how many.
const COUNT: u32 = 20;

async fn seen(core: &Rc<Core>, limit: u32) -> Result<Answer, Failure> {
    let now = Instant::now();
    let shares = of_all(core, move |core| core.router.traffic().share(now)).await?;
    let limit = if limit == 0 { COUNT } else { limit };
    Ok(Answer::of(shares, limit as usize))
}

pub(super) async fn hot_keys(
    core: &Rc<Core>,
    limit: u32,
) -> Result<wire::HotKeysResponse, Failure> {
    let seen = seen(core, limit).await?;
    let keys = seen.keys.into_iter().map(|key| wire::HotKey {
        collection: key.name.collection,
        key: key.name.key.into(),
        key_bytes: key.name.key_bytes as u64,
        shard: key.name.shard,
        samples: key.samples,
        write_samples: key.write_samples,
        requests_per_second: key.per_second,
        requests_per_second_least: key.per_second_least,
        requests_per_second_most: key.per_second_most,
    });
    Ok(wire::HotKeysResponse {
        keys: keys.collect(),
        sampled_one_in: SAMPLED_ONE_IN,
        window_seconds: seen.window.as_secs_f64(),
        samples: seen.samples,
        requests_per_second: seen.requests_per_second,
        others_per_second_max: seen.others_per_second_max,
    })
}

pub(super) async fn big_values(
    core: &Rc<Core>,
    limit: u32,
) -> Result<wire::BigValuesResponse, Failure> {
    let seen = seen(core, limit).await?;
    let values = seen.values.into_iter().map(|value| wire::BigValue {
        collection: value.name.collection,
        key: value.name.key.into(),
        key_bytes: value.name.key_bytes as u64,
        shard: value.name.shard,
        value_bytes: value.bytes as u64,
        seen_at_ms: value.seen_at as i64,
    });
    let window_seconds = seen.window.as_secs_f64();
    Ok(wire::BigValuesResponse { values: values.collect(), window_seconds })
}
