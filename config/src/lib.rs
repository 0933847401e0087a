//! What people write down in files: the installation's settings, project files, and the catalogue of
//! schemes, factors, municipalities, meters and texts.
//!
//! Must never: know a connector, or do I/O beyond the files it is asked to read. A file is used whole or
//! refused with every problem it has.

mod embedded;
mod error;
mod reader;

pub mod catalog;
pub mod meters;
pub mod project;
pub mod settings;

pub use catalog::Catalog;
pub use error::ConfigError;
pub use project::{ProjectProblem, load_project, parse_project};
pub use reader::Problem;
pub use settings::{
    AlarmSettings, DEFAULT_SETTINGS, EngineKind, EngineSettings, GrantsSettings, InstallationSettings,
    KIOSKS_MAX, KioskSettings, LinkSettings, MailSecurity, MailSettings, MeterSettings, ReportSettings,
    SendingSettings, ServiceMeans, ServiceSettings, Settings, StoreSettings, ThinSettings, TokenPlace,
    WeatherSettings, WeatherSource, WebSettings, load, parse_settings,
};
