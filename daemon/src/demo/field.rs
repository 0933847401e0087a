//! Brings the simulated field to life: gateways with their meters, the broker, the publisher.
//!
//! Must never: outlive its owner. Everything ends when [`Field`] is stopped or dropped.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::ModelId;

use super::broker::Broker;
use super::modbus_server::{Behaviour, Device, Gateway};
use super::portfolio::{Meter, Way};
use super::publisher::{Published, Publisher};
use super::registers::{Face, Now};
use super::{Demo, DemoError};

/// Where the simulated field listens, on 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FieldPorts {
    /// Port by link.
    pub(crate) gateways: BTreeMap<String, u16>,
    pub(crate) broker: u16,
}

/// The running field.
#[derive(Debug)]
pub(crate) struct Field {
    gateways: BTreeMap<&'static str, Gateway>,
    broker: Broker,
    publisher: Publisher,
}

impl Field {
    pub(crate) fn ports(&self) -> FieldPorts {
        FieldPorts {
            gateways: self.gateways.iter().map(|(&link, g)| (link.to_owned(), g.address.port())).collect(),
            broker: self.broker.address.port(),
        }
    }

    /// Ends meters, publisher and broker.
    pub(crate) fn stop(self) {
        // The publisher first, so that it does not complain about a broker that is gone.
        drop(self.publisher);
        drop(self.gateways);
        drop(self.broker);
    }
}

pub(super) async fn start(demo: &Demo, dir: &Path, now: Now) -> Result<Field, DemoError> {
    std::fs::create_dir_all(dir).map_err(|cause| DemoError::Write { path: dir.to_owned(), cause })?;
    let mut gateways = BTreeMap::new();
    for (link, behaviour) in behaviours(demo, &now)? {
        let gateway = Gateway::start(behaviour).await.map_err(|cause| DemoError::Bind { cause })?;
        gateways.insert(link, gateway);
    }
    let published = published(demo)?;
    // The broker resolves paths by its own working folder, not by ours.
    let dir = dir.canonicalize().map_err(|cause| DemoError::Write { path: dir.to_owned(), cause })?;
    let broker = Broker::start(&dir).await?;
    let publisher = Publisher::start(broker.address, published, now);
    Ok(Field { gateways, broker, publisher })
}

/// Gateways full of like meters, for measurements.
#[derive(Debug)]
pub(crate) struct Gateways(Vec<Gateway>);

impl Gateways {
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.0.iter().map(|gateway| gateway.address.port()).collect()
    }
}

/// Opens `count` gateways with `units` meters each, all of them like the demonstration's first one of that model.
pub(super) async fn start_many(
    demo: &Demo,
    count: usize,
    units: u8,
    model: &str,
    now: &Now,
) -> Result<Gateways, DemoError> {
    let unknown = || DemoError::Model { meter: "any".to_owned(), model: model.to_owned() };
    let like = demo.meters.iter().find_map(|(_, meter)| match meter.way {
        Way::Modbus { model: own, .. } if own == model => Some(meter),
        Way::Modbus { .. } | Way::DeadModbus { .. } | Way::Mqtt { .. } => None,
    });
    let like = like.ok_or_else(unknown)?;
    let mut gateways = Vec::new();
    for _ in 0..count {
        let mut devices: BTreeMap<u8, Arc<dyn Device>> = BTreeMap::new();
        for unit in 1..=units {
            devices.insert(unit, Arc::new(face(demo, like, model, now)?));
        }
        let gateway = Gateway::start(Behaviour::Serves(devices)).await;
        gateways.push(gateway.map_err(|cause| DemoError::Bind { cause })?);
    }
    Ok(Gateways(gateways))
}

/// What each gateway does, by link.
fn behaviours(demo: &Demo, now: &Now) -> Result<BTreeMap<&'static str, Behaviour>, DemoError> {
    let mut units: BTreeMap<&'static str, BTreeMap<u8, Arc<dyn Device>>> = BTreeMap::new();
    let mut behaviours = BTreeMap::new();
    for (_, meter) in &demo.meters {
        match meter.way {
            Way::Modbus { link, unit, model } => {
                let face = face(demo, meter, model, now)?;
                units.entry(link).or_default().insert(unit, Arc::new(face));
            }
            Way::DeadModbus { link, .. } => {
                behaviours.insert(link, Behaviour::Silent);
            }
            Way::Mqtt { .. } => {}
        }
    }
    behaviours.extend(units.into_iter().map(|(link, units)| (link, Behaviour::Serves(units))));
    Ok(behaviours)
}

fn face(demo: &Demo, meter: &Meter, model: &str, now: &Now) -> Result<Face, DemoError> {
    let registers = ModelId::new(model).ok().and_then(|id| demo.models.get(&id)?.registers().cloned());
    let model = registers.ok_or_else(|| missing(meter, model))?;
    Ok(Face { meter: meter.clone(), model, now: Arc::clone(now) })
}

fn published(demo: &Demo) -> Result<Vec<Published>, DemoError> {
    let mut all = Vec::new();
    for (_, meter) in &demo.meters {
        if let Way::Mqtt { model } = meter.way {
            let payloads = ModelId::new(model).ok().and_then(|id| demo.models.get(&id)?.payloads().cloned());
            let payloads = payloads.ok_or_else(|| missing(meter, model))?;
            all.push(Published { meter: meter.clone(), model: payloads });
        }
    }
    Ok(all)
}

fn missing(meter: &Meter, model: &str) -> DemoError {
    DemoError::Model { meter: meter.id.to_owned(), model: model.to_owned() }
}
