//! The closed vocabulary of what a meter can say, its units, and the energy carriers.
//!
//! Must never: guess a unit. An unknown name is `None`, and the caller says so.

use std::fmt;

/// What a number measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    ActiveEnergyImport,
    ActiveEnergyExport,
    ReactiveEnergyImport,
    ReactiveEnergyExport,
    /// Import and export added up in one register, as some meters count: shown, but neither a consumption nor a production.
    ActiveEnergyImportPlusExport,
    HeatEnergy,
    CoolingEnergy,
    /// Volume of gas at the meter's own conditions.
    GasVolume,
    /// Volume of gas at 15 °C and 1.01325 bar (standard cubic metre).
    GasStandardVolume,
    WaterVolume,
    /// Mass of fuel delivered or burnt.
    FuelMass,
    ActivePower,
    ApparentPower,
    ReactivePower,
    PowerFactor,
    Voltage,
    Current,
    Frequency,
    OutdoorTemperature,
    /// Heat per time, as a heat meter computes it.
    ThermalPower,
    /// Temperature of the water that goes to the building.
    FlowTemperature,
    /// Temperature of the water that comes back.
    ReturnTemperature,
    /// Volume of heating water per time.
    VolumeFlow,
}

/// Whether a quantity only ever grows, or moves freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A cumulative register, kept as an integer in the smallest unit.
    Total,
    /// A momentary value, kept as `f64` in the quantity's unit.
    Gauge,
}

impl Quantity {
    pub const ALL: [Self; 23] = [
        Self::ActiveEnergyImport,
        Self::ActiveEnergyExport,
        Self::ReactiveEnergyImport,
        Self::ReactiveEnergyExport,
        Self::ActiveEnergyImportPlusExport,
        Self::HeatEnergy,
        Self::CoolingEnergy,
        Self::GasVolume,
        Self::GasStandardVolume,
        Self::WaterVolume,
        Self::FuelMass,
        Self::ActivePower,
        Self::ApparentPower,
        Self::ReactivePower,
        Self::PowerFactor,
        Self::Voltage,
        Self::Current,
        Self::Frequency,
        Self::OutdoorTemperature,
        Self::ThermalPower,
        Self::FlowTemperature,
        Self::ReturnTemperature,
        Self::VolumeFlow,
    ];

    /// The name in files, topics, API and database. Stable for ever.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ActiveEnergyImport => "active_energy_import",
            Self::ActiveEnergyExport => "active_energy_export",
            Self::ReactiveEnergyImport => "reactive_energy_import",
            Self::ReactiveEnergyExport => "reactive_energy_export",
            Self::ActiveEnergyImportPlusExport => "active_energy_import_plus_export",
            Self::HeatEnergy => "heat_energy",
            Self::CoolingEnergy => "cooling_energy",
            Self::GasVolume => "gas_volume",
            Self::GasStandardVolume => "gas_standard_volume",
            Self::WaterVolume => "water_volume",
            Self::FuelMass => "fuel_mass",
            Self::ActivePower => "active_power",
            Self::ApparentPower => "apparent_power",
            Self::ReactivePower => "reactive_power",
            Self::PowerFactor => "power_factor",
            Self::Voltage => "voltage",
            Self::Current => "current",
            Self::Frequency => "frequency",
            Self::OutdoorTemperature => "outdoor_temperature",
            Self::ThermalPower => "thermal_power",
            Self::FlowTemperature => "flow_temperature",
            Self::ReturnTemperature => "return_temperature",
            Self::VolumeFlow => "volume_flow",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|q| q.code() == code)
    }

    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::ActiveEnergyImport
            | Self::ActiveEnergyExport
            | Self::ReactiveEnergyImport
            | Self::ReactiveEnergyExport
            | Self::ActiveEnergyImportPlusExport
            | Self::HeatEnergy
            | Self::CoolingEnergy
            | Self::GasVolume
            | Self::GasStandardVolume
            | Self::WaterVolume
            | Self::FuelMass => Kind::Total,
            Self::ActivePower
            | Self::ApparentPower
            | Self::ReactivePower
            | Self::PowerFactor
            | Self::Voltage
            | Self::Current
            | Self::Frequency
            | Self::OutdoorTemperature
            | Self::ThermalPower
            | Self::FlowTemperature
            | Self::ReturnTemperature
            | Self::VolumeFlow => Kind::Gauge,
        }
    }

    /// The unit in which people read it: kWh of what is kept in Wh, Smc of gas at standard conditions.
    #[must_use]
    pub const fn display_unit(self) -> Unit {
        match (self, self.unit()) {
            (Self::GasStandardVolume, _) => Unit::StandardCubicMetre,
            (_, Unit::WattHour) => Unit::KilowattHour,
            (_, Unit::VarHour) => Unit::KilovarHour,
            (_, Unit::Litre) => Unit::CubicMetre,
            (_, Unit::Gram) => Unit::Kilogram,
            (_, Unit::Watt) => Unit::Kilowatt,
            (_, Unit::VoltAmpere) => Unit::KilovoltAmpere,
            (_, Unit::Var) => Unit::Kilovar,
            (_, unit) => unit,
        }
    }

    /// The unit in which values of this quantity are kept: the smallest one for totals.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::ActiveEnergyImport
            | Self::ActiveEnergyExport
            | Self::ActiveEnergyImportPlusExport
            | Self::HeatEnergy
            | Self::CoolingEnergy => Unit::WattHour,
            Self::ReactiveEnergyImport | Self::ReactiveEnergyExport => Unit::VarHour,
            Self::GasVolume | Self::GasStandardVolume | Self::WaterVolume => Unit::Litre,
            Self::FuelMass => Unit::Gram,
            Self::ActivePower | Self::ThermalPower => Unit::Watt,
            Self::ApparentPower => Unit::VoltAmpere,
            Self::ReactivePower => Unit::Var,
            Self::PowerFactor => Unit::One,
            Self::Voltage => Unit::Volt,
            Self::Current => Unit::Ampere,
            Self::Frequency => Unit::Hertz,
            Self::OutdoorTemperature | Self::FlowTemperature | Self::ReturnTemperature => Unit::DegreeCelsius,
            Self::VolumeFlow => Unit::LitrePerHour,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Which conductor or tariff a quantity belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The whole meter.
    Total,
    L1,
    L2,
    L3,
    Tariff1,
    Tariff2,
    Tariff3,
    Tariff4,
}

impl Phase {
    pub const ALL: [Self; 8] = [
        Self::Total,
        Self::L1,
        Self::L2,
        Self::L3,
        Self::Tariff1,
        Self::Tariff2,
        Self::Tariff3,
        Self::Tariff4,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::L3 => "l3",
            Self::Tariff1 => "t1",
            Self::Tariff2 => "t2",
            Self::Tariff3 => "t3",
            Self::Tariff4 => "t4",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.code() == code)
    }
}

/// One quantity on one phase or tariff: a line of a meter's register map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    pub quantity: Quantity,
    pub phase: Phase,
}

impl Channel {
    /// The quantity of the whole meter.
    #[must_use]
    pub const fn total(quantity: Quantity) -> Self {
        Self { quantity, phase: Phase::Total }
    }
}

impl fmt::Display for Channel {
    /// `active_power` for the whole meter, `active_power.l1` for a phase.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase {
            Phase::Total => f.write_str(self.quantity.code()),
            phase => write!(f, "{}.{}", self.quantity.code(), phase.code()),
        }
    }
}

/// A unit a file, a register or a payload may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    WattHour,
    KilowattHour,
    MegawattHour,
    Megajoule,
    Gigajoule,
    Gigacalorie,
    VarHour,
    KilovarHour,
    Litre,
    CubicMetre,
    /// Standard cubic metre of gas (15 °C, 1.01325 bar).
    StandardCubicMetre,
    Gram,
    Kilogram,
    Tonne,
    LitrePerHour,
    CubicMetrePerHour,
    Watt,
    Kilowatt,
    VoltAmpere,
    KilovoltAmpere,
    Var,
    Kilovar,
    Volt,
    Millivolt,
    Ampere,
    Milliampere,
    Hertz,
    DegreeCelsius,
    One,
}

/// What two units must share to be converted into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Energy,
    ReactiveEnergy,
    Volume,
    StandardVolume,
    Mass,
    VolumeFlow,
    Power,
    ApparentPower,
    ReactivePower,
    Voltage,
    Current,
    Frequency,
    Temperature,
    One,
}

impl Unit {
    pub const ALL: [Self; 29] = [
        Self::WattHour,
        Self::KilowattHour,
        Self::MegawattHour,
        Self::Megajoule,
        Self::Gigajoule,
        Self::Gigacalorie,
        Self::VarHour,
        Self::KilovarHour,
        Self::Litre,
        Self::CubicMetre,
        Self::StandardCubicMetre,
        Self::Gram,
        Self::Kilogram,
        Self::Tonne,
        Self::LitrePerHour,
        Self::CubicMetrePerHour,
        Self::Watt,
        Self::Kilowatt,
        Self::VoltAmpere,
        Self::KilovoltAmpere,
        Self::Var,
        Self::Kilovar,
        Self::Volt,
        Self::Millivolt,
        Self::Ampere,
        Self::Milliampere,
        Self::Hertz,
        Self::DegreeCelsius,
        Self::One,
    ];

    /// The symbol in files and on pages.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::WattHour => "Wh",
            Self::KilowattHour => "kWh",
            Self::MegawattHour => "MWh",
            Self::Megajoule => "MJ",
            Self::Gigajoule => "GJ",
            Self::Gigacalorie => "Gcal",
            Self::VarHour => "varh",
            Self::KilovarHour => "kvarh",
            Self::Litre => "l",
            Self::CubicMetre => "m3",
            Self::StandardCubicMetre => "Smc",
            Self::Gram => "g",
            Self::Kilogram => "kg",
            Self::Tonne => "t",
            Self::LitrePerHour => "l/h",
            Self::CubicMetrePerHour => "m3/h",
            Self::Watt => "W",
            Self::Kilowatt => "kW",
            Self::VoltAmpere => "VA",
            Self::KilovoltAmpere => "kVA",
            Self::Var => "var",
            Self::Kilovar => "kvar",
            Self::Volt => "V",
            Self::Millivolt => "mV",
            Self::Ampere => "A",
            Self::Milliampere => "mA",
            Self::Hertz => "Hz",
            Self::DegreeCelsius => "°C",
            Self::One => "1",
        }
    }

    /// Reads a symbol; also the common spellings `m³`, `Sm3`, `C`, and the empty text for a pure number.
    #[must_use]
    pub fn parse(symbol: &str) -> Option<Self> {
        match symbol.trim() {
            "m³" | "mc" => Some(Self::CubicMetre),
            "Sm3" | "Sm³" | "smc" => Some(Self::StandardCubicMetre),
            "C" | "degC" => Some(Self::DegreeCelsius),
            "" => Some(Self::One),
            other => Self::ALL.into_iter().find(|u| u.symbol() == other),
        }
    }

    const fn dimension(self) -> Dimension {
        match self {
            Self::WattHour
            | Self::KilowattHour
            | Self::MegawattHour
            | Self::Megajoule
            | Self::Gigajoule
            | Self::Gigacalorie => Dimension::Energy,
            Self::VarHour | Self::KilovarHour => Dimension::ReactiveEnergy,
            Self::Litre | Self::CubicMetre => Dimension::Volume,
            Self::StandardCubicMetre => Dimension::StandardVolume,
            Self::Gram | Self::Kilogram | Self::Tonne => Dimension::Mass,
            Self::Watt | Self::Kilowatt => Dimension::Power,
            Self::VoltAmpere | Self::KilovoltAmpere => Dimension::ApparentPower,
            Self::Var | Self::Kilovar => Dimension::ReactivePower,
            Self::LitrePerHour | Self::CubicMetrePerHour => Dimension::VolumeFlow,
            Self::Volt | Self::Millivolt => Dimension::Voltage,
            Self::Ampere | Self::Milliampere => Dimension::Current,
            Self::Hertz => Dimension::Frequency,
            Self::DegreeCelsius => Dimension::Temperature,
            Self::One => Dimension::One,
        }
    }

    /// How many of the dimension's smallest kept unit (Wh, l, g, W, …) one of this is.
    const fn size(self) -> f64 {
        match self {
            Self::KilowattHour
            | Self::KilovarHour
            | Self::CubicMetre
            | Self::StandardCubicMetre
            | Self::Kilogram
            | Self::Kilowatt
            | Self::KilovoltAmpere
            | Self::CubicMetrePerHour
            | Self::Kilovar => 1_000.0,
            Self::MegawattHour | Self::Tonne => 1_000_000.0,
            // 1 GJ = 1e9 J / 3600 J/Wh.
            Self::Gigajoule => 1_000_000_000.0 / 3_600.0,
            Self::Megajoule => 1_000_000.0 / 3_600.0,
            // 1 Gcal (thermochemical, 4.184 J/cal) = 4.184e9 J.
            Self::Gigacalorie => 4_184_000_000.0 / 3_600.0,
            Self::Milliampere | Self::Millivolt => 0.001,
            Self::WattHour
            | Self::VarHour
            | Self::Litre
            | Self::Gram
            | Self::LitrePerHour
            | Self::Watt
            | Self::VoltAmpere
            | Self::Var
            | Self::Volt
            | Self::Ampere
            | Self::Hertz
            | Self::DegreeCelsius
            | Self::One => 1.0,
        }
    }

    /// The factor that turns a value in `self` into a value as `quantity` keeps it (Wh, litre, gram, W, …);
    /// `None` when the unit does not measure that quantity.
    ///
    /// Gas at standard conditions is kept in litres too, but only `Smc` is a unit of it: cubic metres at the
    /// meter are not standard cubic metres.
    #[must_use]
    pub fn factor_to(self, quantity: Quantity) -> Option<f64> {
        let wanted = match quantity {
            Quantity::GasStandardVolume => Dimension::StandardVolume,
            other => other.unit().dimension(),
        };
        (self.dimension() == wanted).then(|| self.size() / quantity.unit().size())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// The smallest unit in which amounts of a carrier are counted, as integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BaseUnit {
    WattHour,
    /// Of gas: at standard conditions.
    Litre,
    Gram,
}

impl BaseUnit {
    /// The unit a thousand of them make, in which people read them: kWh, Smc, kg.
    #[must_use]
    pub const fn display(self) -> Unit {
        match self {
            Self::WattHour => Unit::KilowattHour,
            Self::Litre => Unit::StandardCubicMetre,
            Self::Gram => Unit::Kilogram,
        }
    }

    /// The number in [`Self::display`] units.
    #[must_use]
    pub fn to_display(self, amount: i64) -> f64 {
        amount as f64 / 1000.0
    }
}

/// Energy carriers of Emilia-Romagna POR FESR 2014-20, Annex 3 table 5, with their units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    GridElectricity,
    NaturalGas,
    Lpg,
    Coal,
    FuelOil,
    SolidBiomass,
    Wood,
    Pellets,
    OnSitePv,
    SolarThermal,
    SmallWind,
    SmallHydro,
    DistrictHeating,
    DistrictCooling,
    Aerothermal,
    Other,
}

impl Carrier {
    pub const ALL: [Self; 16] = [
        Self::GridElectricity,
        Self::NaturalGas,
        Self::Lpg,
        Self::Coal,
        Self::FuelOil,
        Self::SolidBiomass,
        Self::Wood,
        Self::Pellets,
        Self::OnSitePv,
        Self::SolarThermal,
        Self::SmallWind,
        Self::SmallHydro,
        Self::DistrictHeating,
        Self::DistrictCooling,
        Self::Aerothermal,
        Self::Other,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::GridElectricity => "grid_electricity",
            Self::NaturalGas => "natural_gas",
            Self::Lpg => "lpg",
            Self::Coal => "coal",
            Self::FuelOil => "fuel_oil",
            Self::SolidBiomass => "solid_biomass",
            Self::Wood => "wood",
            Self::Pellets => "pellets",
            Self::OnSitePv => "on_site_pv",
            Self::SolarThermal => "solar_thermal",
            Self::SmallWind => "small_wind",
            Self::SmallHydro => "small_hydro",
            Self::DistrictHeating => "district_heating",
            Self::DistrictCooling => "district_cooling",
            Self::Aerothermal => "aerothermal",
            Self::Other => "other",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.code() == code)
    }

    /// Whether it is electricity, from the grid or made on site; every other carrier is used for its heat or cold.
    #[must_use]
    pub const fn is_electric(self) -> bool {
        matches!(self, Self::GridElectricity | Self::OnSitePv | Self::SmallWind | Self::SmallHydro)
    }

    #[must_use]
    pub const fn base_unit(self) -> BaseUnit {
        match self {
            Self::NaturalGas => BaseUnit::Litre,
            Self::Lpg | Self::Coal | Self::FuelOil | Self::SolidBiomass | Self::Wood | Self::Pellets => {
                BaseUnit::Gram
            }
            Self::GridElectricity
            | Self::OnSitePv
            | Self::SolarThermal
            | Self::SmallWind
            | Self::SmallHydro
            | Self::DistrictHeating
            | Self::DistrictCooling
            | Self::Aerothermal
            | Self::Other => BaseUnit::WattHour,
        }
    }

    /// The quantity a meter of this carrier counts, where `export` tells fed-in electricity.
    #[must_use]
    pub const fn total_quantity(self) -> Quantity {
        match self {
            Self::NaturalGas => Quantity::GasStandardVolume,
            Self::Lpg | Self::Coal | Self::FuelOil | Self::SolidBiomass | Self::Wood | Self::Pellets => {
                Quantity::FuelMass
            }
            Self::SolarThermal | Self::DistrictHeating | Self::Aerothermal => Quantity::HeatEnergy,
            Self::DistrictCooling => Quantity::CoolingEnergy,
            Self::GridElectricity | Self::OnSitePv | Self::SmallWind | Self::SmallHydro | Self::Other => {
                Quantity::ActiveEnergyImport
            }
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        for q in Quantity::ALL {
            assert_eq!(Quantity::parse(q.code()), Some(q));
            assert!(q.unit().factor_to(q).is_some() || q == Quantity::GasStandardVolume);
        }
        for c in Carrier::ALL {
            assert_eq!(Carrier::parse(c.code()), Some(c));
            assert!(c.base_unit().display().factor_to(c.total_quantity()).is_some());
        }
        for u in Unit::ALL {
            assert_eq!(Unit::parse(u.symbol()), Some(u));
        }
    }

    #[test]
    fn people_read_a_quantity_in_a_unit_of_its_own_kind() {
        for q in Quantity::ALL {
            let shown = q.display_unit();
            assert!(shown.factor_to(q).is_some(), "{} in {}", q.code(), shown.symbol());
        }
        assert_eq!(Quantity::GasStandardVolume.display_unit(), Unit::StandardCubicMetre);
        assert_eq!(Quantity::ActiveEnergyImport.display_unit(), Unit::KilowattHour);
    }

    #[test]
    fn a_unit_of_another_kind_is_refused() {
        assert_eq!(Unit::KilowattHour.factor_to(Quantity::ActiveEnergyImport), Some(1000.0));
        assert_eq!(Unit::Kilowatt.factor_to(Quantity::ActiveEnergyImport), None);
        assert_eq!(Unit::CubicMetre.factor_to(Quantity::GasStandardVolume), None);
        assert_eq!(Unit::StandardCubicMetre.factor_to(Quantity::GasStandardVolume), Some(1000.0));
    }
}
