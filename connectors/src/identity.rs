//! An organisation's login provider (OpenID Connect Core 1.0, authorization code with PKCE): who signed in there.
//! SPID and CIE come by such a provider; the claim that counts is the tax code, in the form `TINIT-…` of eIDAS.
//!
//! Must never: believe a claim that the provider did not sign for this very attempt, follow a redirect, or print a code
//! or token.

mod http;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use model::Instant;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthenticationContextClass, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};

use crate::inbox::Clock;
use http::Http;

/// What one provider is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitySettings {
    /// As the provider writes itself in what it signs.
    pub issuer: String,
    pub client_id: String,
    /// None for a public client; PKCE protects the code in any case.
    pub client_secret_file: Option<PathBuf>,
    /// Where the provider sends people back: this site's `/login/provider/back`.
    pub redirect: String,
    /// Besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that holds the tax code.
    pub tax_code_claim: String,
    /// The least level of assurance, as the provider names it; asked for and then demanded.
    pub acr: Option<String>,
    /// Certificates to believe in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Why nobody was vouched for.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{what} {text:?} is no address; correct it under [access.provider]")]
    Address { what: &'static str, text: String },
    #[error("the client's secret cannot be read: {0}")]
    Secret(String),
    #[error("the provider {issuer} does not describe itself: {says}")]
    Discovery { issuer: String, says: String },
    #[error("the provider {issuer} gives no token for the code: {says}")]
    Exchange { issuer: String, says: String },
    #[error("what the provider {issuer} signed does not hold: {says}")]
    Token { issuer: String, says: String },
    #[error("the provider {issuer} states no tax code in the claim {claim:?}; ask it for the scope that has it")]
    NoTaxCode { issuer: String, claim: String },
}

/// What must be remembered of an attempt until the person comes back.
pub struct Started {
    /// Told apart by it; the provider returns it.
    pub state: String,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started(…)")
    }
}

/// For whom the provider vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Sixteen capital letters and digits, without the country.
    pub tax_code: String,
}

/// Every claim besides the standard ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    #[serde(flatten)]
    all: HashMap<String, serde_json::Value>,
}

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type ClaimsClient<A, B, C, D, E, F> = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    A,
    B,
    C,
    D,
    E,
    F,
>;

/// The client of what a provider says of itself. A macro, since the type says which addresses are known.
macro_rules! client_of {
    ($provider:expr, $described:expr) => {{
        let id = ClientId::new($provider.settings.client_id.clone());
        ClaimsClient::from_provider_metadata($described, id, $provider.secret()?)
            .set_redirect_uri(redirect(&$provider.settings)?)
    }};
}

/// A provider of logins.
pub struct IdentityProvider {
    settings: IdentitySettings,
    clock: Arc<dyn Clock>,
    http: Http,
    /// What the provider says of itself, with its keys; asked again after a failure, for keys change.
    described: Mutex<Option<CoreProviderMetadata>>,
}

impl IdentityProvider {
    /// Checks the addresses and reads the certificates; asks nothing of the network.
    ///
    /// # Errors
    /// [`IdentityError::Address`], [`IdentityError::Discovery`] for certificates that cannot be read.
    pub fn new(settings: IdentitySettings, clock: Arc<dyn Clock>) -> Result<Self, IdentityError> {
        issuer(&settings)?;
        redirect(&settings)?;
        let http = Http::new(settings.ca_file.as_deref()).map_err(|says| IdentityError::Discovery {
            issuer: settings.issuer.clone(),
            says,
        })?;
        Ok(Self { settings, clock, http, described: Mutex::new(None) })
    }

    /// Where to send a person, and what to remember until they come back. Blocks on the network the first time.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn start(&self) -> Result<(String, Started), IdentityError> {
        let client = client_of!(self, self.describe()?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if let Some(acr) = &self.settings.acr {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        let (address, state, nonce) = request.url();
        let state = state.secret().clone();
        Ok((address.to_string(), Started { state, nonce, verifier }))
    }

    /// Whom the provider vouches for, by the code that it sent the person back with. Blocks on the network.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn finish(&self, started: &Started, code: &str) -> Result<Identity, IdentityError> {
        let done = self.judge(started, code);
        if matches!(done, Err(IdentityError::Token { .. })) {
            *self.described.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        done
    }

    fn judge(&self, started: &Started, code: &str) -> Result<Identity, IdentityError> {
        let issuer = || self.settings.issuer.clone();
        let exchange = |says: String| IdentityError::Exchange { issuer: issuer(), says };
        let token = |says: String| IdentityError::Token { issuer: issuer(), says };
        let client = client_of!(self, self.describe()?);
        let verifier = PkceCodeVerifier::new(started.verifier.secret().clone());
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| exchange(error.to_string()))?
            .set_pkce_verifier(verifier)
            .request(&|request| self.http.ask(request))
            .map_err(|error| exchange(error.to_string()))?;
        let id_token = answer.id_token().ok_or_else(|| token("there is no identity in it".to_owned()))?;
        let now = utc(self.clock.now());
        let judge = client.id_token_verifier().set_time_fn(move || now);
        let claims = id_token.claims(&judge, &started.nonce).map_err(|error| token(error.to_string()))?;
        if let Some(wanted) = &self.settings.acr
            && claims.auth_context_ref().is_none_or(|given| given.as_str() != wanted)
        {
            return Err(token(format!("its level of assurance is not {wanted:?}")));
        }
        if let Some(code) = self.tax_code(claims.additional_claims()) {
            return Ok(Identity { tax_code: code });
        }
        // Many providers state attributes only at their own endpoint.
        let subject = Some(claims.subject().clone());
        let asked = client.user_info(answer.access_token().clone(), subject).ok().map(|request| {
            let known: Result<UserInfoClaims<Claims, CoreGenderClaim>, _> =
                request.request(&|request| self.http.ask(request));
            known.map_err(|error| token(error.to_string()))
        });
        let code = match asked {
            Some(known) => self.tax_code(known?.additional_claims()),
            None => None,
        };
        let claim = self.settings.tax_code_claim.clone();
        code.map(|tax_code| Identity { tax_code })
            .ok_or_else(|| IdentityError::NoTaxCode { issuer: issuer(), claim })
    }

    fn tax_code(&self, claims: &Claims) -> Option<String> {
        tax_code(claims.all.get(&self.settings.tax_code_claim)?.as_str()?)
    }

    fn describe(&self) -> Result<CoreProviderMetadata, IdentityError> {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = described.as_ref() {
            return Ok(known.clone());
        }
        let asked =
            CoreProviderMetadata::discover(&issuer(&self.settings)?, &|request| self.http.ask(request));
        let fresh = asked.map_err(|error| {
            let says = chain(&error);
            IdentityError::Discovery { issuer: self.settings.issuer.clone(), says }
        })?;
        *described = Some(fresh.clone());
        Ok(fresh)
    }

    fn secret(&self) -> Result<Option<ClientSecret>, IdentityError> {
        let read = self.settings.client_secret_file.as_deref().map(crate::mail::first_line).transpose();
        Ok(read.map_err(IdentityError::Secret)?.map(ClientSecret::new))
    }
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProvider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

fn issuer(settings: &IdentitySettings) -> Result<IssuerUrl, IdentityError> {
    let text = settings.issuer.clone();
    IssuerUrl::new(text.clone()).map_err(|_| IdentityError::Address { what: "the issuer", text })
}

fn redirect(settings: &IdentitySettings) -> Result<RedirectUrl, IdentityError> {
    let text = settings.redirect.clone();
    RedirectUrl::new(text.clone()).map_err(|_| IdentityError::Address { what: "this site's address", text })
}

/// `TINIT-` and sixteen letters and digits (ETSI EN 319 412-1 §5.1.3), or these alone.
fn tax_code(claim: &str) -> Option<String> {
    let code = claim.strip_prefix("TINIT-").unwrap_or(claim).to_ascii_uppercase();
    let good = code.len() == 16 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then_some(code)
}

fn utc(at: Instant) -> DateTime<Utc> {
    at.utc()
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut says = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !says.contains(&text) {
            says = format!("{says}: {text}");
        }
        cause = next.source();
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tax_code_is_read_with_its_country_or_without() {
        for good in ["TINIT-RSSMRA80A01H501U", "RSSMRA80A01H501U", "TINIT-rssmra80a01h501u"] {
            assert_eq!(tax_code(good).as_deref(), Some("RSSMRA80A01H501U"), "{good}");
        }
        for wrong in ["TINIT-", "TINDE-RSSMRA80A01H501U", "RSSMRA80A01H501", "RSSMRA80A01H501UU", "'; --aaaaaaaaaaa"] {
            assert_eq!(tax_code(wrong), None, "{wrong}");
        }
    }
}
