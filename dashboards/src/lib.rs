//! Pages, live stream, API and renderers (HTML, PDF, XLSX, CSV, JSON).
//!
//! Must never: compute a number. Figures come ready from `analytics` through [`backend::Backend`].

pub mod access;
mod api;
mod assets;
pub mod backend;
pub mod calendar;
pub mod chart;
pub mod desk;
mod downloads;
pub mod grants;
mod live;
mod openapi;
mod packed;
mod pages;
pub mod pdf;
pub mod render;
pub mod routes;
pub mod serve;
mod shares;
pub mod structured;
pub mod tls;
pub mod watch;

pub use render::{
    Press, RenderError, RenderedFile, annual_report, campaign_report, indicator_sheet, system_report,
};
pub use typeset::{PICTURE_BYTES_MAX, PICTURES_MAX, TEMPLATE_BYTES_MAX, Template, TemplateError};
