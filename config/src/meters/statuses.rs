//! The part of a meter file that says when its values may be used: `[[status]]`.
//!
//! Must never: guess which state is the good one.

use profile::{RegisterRef, Space, Status};
use serde::Deserialize;

use super::parts::{KeyError, channel_named, one_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusForm {
    register: PlaceForm,
    /// Hexadecimal; the bits of a register that are looked at, all of them by default.
    mask: Option<String>,
    /// Hexadecimal; what they are while the values may be used.
    good: String,
    #[serde(default)]
    channels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceForm {
    space: String,
    address: u16,
}

pub(super) fn statuses(forms: &[StatusForm]) -> Result<Vec<Status>, KeyError> {
    forms.iter().enumerate().map(|(i, form)| status(&format!("status[{}]", i + 1), form)).collect()
}

fn status(key: &str, form: &StatusForm) -> Result<Status, KeyError> {
    let all = || Space::ALL.iter().map(|space| space.code()).collect();
    let space = one_of(&format!("{key}.register.space"), &form.register.space, Space::parse, all)?;
    let hex = |name: &str, text: &str| {
        let says =
            format!("{text:?} is no register in hexadecimal; write it like \"0010\", or \"1\" for a bit");
        u16::from_str_radix(text, 16).map_err(|_| (format!("{key}.{name}"), says))
    };
    let all_bits = if space.is_bits() { 1 } else { u16::MAX };
    let channels = form.channels.iter().map(|name| channel_named(&format!("{key}.channels"), name));
    Ok(Status {
        register: RegisterRef { space, address: form.register.address },
        mask: form.mask.as_deref().map_or(Ok(all_bits), |mask| hex("mask", mask))?,
        good: hex("good", &form.good)?,
        channels: channels.collect::<Result<_, _>>()?,
    })
}
