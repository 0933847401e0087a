//! tmp
#[test]
fn speed() {
    use crate::series::*;
    use model::*;
    let s = SeriesSettings {
        unit: BaseUnit::WattHour,
        zone: Zone::Europe__Rome,
        ceiling_per_milli: 0.03,
        wraps_at: None,
        resolution: 1,
        gap_after_millis: 900_000,
    };
    let t0 = std::time::Instant::now();
    let mut sum = 0;
    let n = 10;
    for k in 0..n {
        let mut a = Accumulator::new(s);
        let mut total = 0i64;
        for i in 0..2_628_000_i64 {
            a.push(Instant::from_seconds(1_600_000_000 + i * 60), total);
            total += (i * 7 + k) % 500;
        }
        sum += a
            .snapshot(Instant::from_seconds(1_600_000_000 + 2_628_000 * 60))
            .months
            .iter()
            .map(|m| m.amount)
            .sum::<i64>();
    }
    let dt = t0.elapsed();
    println!("{sum} {:?} {:.2} ns/push", dt, dt.as_nanos() as f64 / (n as f64 * 2_628_000.0));
}
