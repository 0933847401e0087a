//! What the tests of this crate share: a clock that follows tokio's, an inbox that remembers, small models.
//!
//! Must never: be compiled into the daemon.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Channel, Finding, Instant, MeterId, ModelId, Phase, Quantity, Reading, Unit};
use profile::{
    Block, Encoding, Evidence, EvidenceLevel, Interface, Layout, Limits, Measure, MeterModel, Number, Range,
    RegisterModel, RegisterRef, Space, WordOrder,
};

use crate::inbox::{BoxFuture, Clock, Inbox, InboxError, Quarantined, SourceEvent};
use crate::link::MeterSpec;

/// 2025-06-01T10:00:00Z.
pub(crate) const BEGIN: Instant = Instant::from_seconds(1_748_772_000);

/// Begins at [`BEGIN`] and runs with tokio's (paused) time, unless it is set back.
pub(crate) struct TestClock {
    begun: tokio::time::Instant,
    back_ms: AtomicI64,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { begun: tokio::time::Instant::now(), back_ms: AtomicI64::new(0) })
    }

    pub(crate) fn set_back(&self, millis: i64) {
        self.back_ms.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        let elapsed = i64::try_from(self.begun.elapsed().as_millis()).unwrap();
        BEGIN.plus_millis(elapsed - self.back_ms.load(Ordering::SeqCst))
    }
}

/// Remembers everything; refuses as many submissions as it is told, takes its time when told.
#[derive(Default)]
pub(crate) struct TestInbox {
    pub(crate) readings: Mutex<Vec<Reading>>,
    pub(crate) findings: Mutex<Vec<Finding>>,
    pub(crate) events: Mutex<Vec<SourceEvent>>,
    pub(crate) quarantined: Mutex<Vec<Quarantined>>,
    pub(crate) refuse: Mutex<usize>,
    pub(crate) takes: Mutex<Duration>,
}

impl TestInbox {
    /// Seconds after [`BEGIN`] at which the meter was observed.
    pub(crate) fn seconds(&self, meter: &str) -> Vec<f64> {
        let readings = self.readings.lock().unwrap();
        let of_meter = readings.iter().filter(|r| r.series.meter.as_str() == meter);
        let mut seconds: Vec<f64> = of_meter.map(|r| r.observed_at.seconds_since(BEGIN)).collect();
        seconds.dedup();
        seconds
    }

    /// Subjects and codes of the findings that were taken back.
    pub(crate) fn resolved(&self) -> Vec<(String, &'static str)> {
        let events = self.events.lock().unwrap();
        let resolved = |event: &SourceEvent| match event {
            SourceEvent::Resolved { subject, code } => Some((subject.clone(), *code)),
            _ => None,
        };
        events.iter().filter_map(resolved).collect()
    }

    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.findings.lock().unwrap().iter().map(|f| f.code).collect()
    }
}

impl Inbox for TestInbox {
    fn submit(&self, readings: Vec<Reading>) -> BoxFuture<'_, Result<(), InboxError>> {
        Box::pin(async move {
            let takes = *self.takes.lock().unwrap();
            tokio::time::sleep(takes).await;
            let mut refuse = self.refuse.lock().unwrap();
            if *refuse > 0 {
                *refuse -= 1;
                return Err(InboxError::Refused { reason: "no space left on device".into() });
            }
            self.readings.lock().unwrap().extend(readings);
            Ok(())
        })
    }

    fn quarantine(&self, message: Quarantined) -> BoxFuture<'_, Result<(), InboxError>> {
        self.quarantined.lock().unwrap().push(message);
        Box::pin(async { Ok(()) })
    }

    fn report(&self, finding: Finding) {
        self.findings.lock().unwrap().push(finding);
    }

    fn note(&self, event: SourceEvent) {
        self.events.lock().unwrap().push(event);
    }
}

/// So many numbers of two registers in a row, from register 0 on, and the one block that holds them.
pub(crate) fn row(count: u16) -> (Vec<Measure>, Block) {
    let measures: Vec<Measure> =
        (0..count).map(|i| measure(i * 2, Quantity::ActiveEnergyImport, Unit::WattHour)).collect();
    let block =
        Block { space: Space::Input, address: 0, count: count * 2, measures: (0..measures.len()).collect() };
    (measures, block)
}

pub(crate) fn measure(address: u16, quantity: Quantity, unit: Unit) -> Measure {
    let channel = Channel { quantity, phase: Phase::Total };
    let register = RegisterRef { space: Space::Input, address };
    let encoding = Encoding { number: Number::U32, order: WordOrder::Abcd };
    let measure = Measure::new(channel, register, encoding, unit, Range { from: 0.0, to: 1e8 });
    Measure { sentinels: vec![0xFFFF_FFFF], ..measure }
}

/// Energy in Wh at input 0-1, power in W at input 100-101: two requests.
pub(crate) fn two_blocks() -> Arc<MeterModel> {
    Arc::new(MeterModel {
        id: ModelId::new("two-blocks").unwrap(),
        replaces: vec![],
        maker: "test".into(),
        name: "test".into(),
        evidence: Evidence { level: EvidenceLevel::Bench, sources: vec![], each_meter: false },
        caveats: vec![],
        identify: vec![],
        texts: vec![],
        interface: Interface::Registers(RegisterModel {
            layout: Layout::Fixed,
            limits: Limits { registers_per_request: 10, widest_gap: 4, pause_ms: 0, timeout_ms: None },
            measures: vec![
                measure(0, Quantity::ActiveEnergyImport, Unit::WattHour),
                measure(100, Quantity::ActivePower, Unit::Watt),
            ],
            statuses: vec![],
            examples: vec![],
        }),
    })
}

pub(crate) fn spec(id: &str, link: &str, model: &Arc<MeterModel>, every_s: u32, table: &str) -> MeterSpec {
    MeterSpec {
        id: MeterId::new(id).unwrap(),
        link: link.into(),
        model: Arc::clone(model),
        every_s,
        input: None,
        table: table.parse().unwrap(),
    }
}
