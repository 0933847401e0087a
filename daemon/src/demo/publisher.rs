//! Publishes the simulated MQTT meters, as their model's file says, to the demonstration's broker.
//!
//! Must never: publish a value that the simulated building does not have at that instant.

use std::net::SocketAddr;
use std::time::Duration;

use model::{Instant, Quantity};
use profile::PayloadModel;
use rumqttc::{AsyncClient, MqttOptions, QoS};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use super::building::Flow;
use super::portfolio::Meter;
use super::registers::{Now, power_w};

/// How often every meter publishes.
const PERIOD: Duration = Duration::from_secs(5);
/// Pause before the broker is tried again.
const RECONNECT: Duration = Duration::from_secs(1);
/// Messages waiting for the broker at most.
const QUEUE_MAX: usize = 64;

/// A meter with the form of its messages.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) meter: Meter,
    pub(crate) model: PayloadModel,
}

/// The topic of a meter.
pub(crate) fn topic(meter: &str) -> String {
    format!("demo/{meter}")
}

/// Two tasks that end when dropped: one talks to the broker, one makes messages.
#[derive(Debug)]
pub(crate) struct Publisher {
    tasks: [JoinHandle<()>; 2],
}

impl Publisher {
    pub(crate) fn start(broker: SocketAddr, meters: Vec<Published>, now: Now) -> Self {
        let mut options = MqttOptions::new("consuntivo-demo-field", broker.ip().to_string(), broker.port());
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut connection) = AsyncClient::new(options, QUEUE_MAX);
        let talks = tokio::spawn(async move {
            loop {
                if let Err(error) = connection.poll().await {
                    tracing::debug!(%error, "demonstration publisher lost its broker");
                    tokio::time::sleep(RECONNECT).await;
                }
            }
        });
        let speaks = tokio::spawn(async move {
            let mut tick = tokio::time::interval(PERIOD);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                tick.tick().await;
                for published in &meters {
                    let payload = payload(published, now());
                    let topic = topic(published.meter.id);
                    if client.publish(topic, QoS::AtLeastOnce, false, payload).await.is_err() {
                        return;
                    }
                }
            }
        });
        Self { tasks: [talks, speaks] }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// One message: the model's time field, the meter's total, and its power where it has one.
pub(crate) fn payload(published: &Published, now: Instant) -> String {
    let Published { meter, model } = published;
    // Whole seconds: the total must be the one at the time stated.
    let at = Instant::from_seconds(now.millis().div_euclid(1000));
    let mut object = Map::new();
    if let Some(time) = &model.time {
        object.insert(time.path.clone(), Value::from(at.to_string()));
    }
    let total = meter.channel();
    for field in &model.fields {
        let value = if field.channel == total {
            Some(meter.index(at) as f64)
        } else if field.channel == model::Channel::total(Quantity::ActivePower) && meter.flow != Flow::Gas {
            Some(power_w(meter, at).round())
        } else {
            None
        };
        let factor = field.unit.factor_to(field.channel.quantity).map(|f| f * field.scale.to_f64());
        if let (Some(value), Some(factor)) = (value, factor) {
            object.insert(field.path.clone(), Value::from(value / factor));
        }
    }
    Value::Object(object).to_string()
}
