//! Who may open a WebSocket: Codex's own flags, files and checks (0.169).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const DEFAULT_CLOCK_SKEW: u64 = 30;
const SHORTEST_SECRET: usize = 32;

/// Codex's flags on who may open a WebSocket.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct WebSocketAuthFlags {
    /// Authentication mode for incoming WebSocket connections
    #[arg(long, value_name = "MODE")]
    pub ws_auth: Option<WebSocketAuthMode>,
    /// Absolute path to the capability-token file
    #[arg(long, value_name = "PATH")]
    pub ws_token_file: Option<PathBuf>,
    /// Hex-encoded SHA-256 digest of the capability token
    #[arg(long, value_name = "HEX")]
    pub ws_token_sha256: Option<String>,
    /// Absolute path to the shared secret file for signed JWT bearer tokens
    #[arg(long, value_name = "PATH")]
    pub ws_shared_secret_file: Option<PathBuf>,
    /// Expected issuer for signed JWT bearer tokens
    #[arg(long, value_name = "ISSUER")]
    pub ws_issuer: Option<String>,
    /// Expected audience for signed JWT bearer tokens
    #[arg(long, value_name = "AUDIENCE")]
    pub ws_audience: Option<String>,
    /// Maximum clock skew when validating signed JWT bearer tokens
    #[arg(long, value_name = "SECONDS")]
    pub ws_max_clock_skew_seconds: Option<u64>,
}

/// A value of `--ws-auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WebSocketAuthMode {
    /// One token that all clients know.
    CapabilityToken,
    /// A JWT that is signed with a shared secret (HS256).
    SignedBearerToken,
}

/// Flags that contradict each other, or a secret that can't be used. The words are Codex's own.
#[derive(Debug, thiserror::Error)]
pub enum WebSocketAuthError {
    /// Flags without the mode that they are of.
    #[error(
        "websocket auth flags require `--ws-auth capability-token` or `--ws-auth signed-bearer-token`"
    )]
    NoMode,
    /// Two sources of one token.
    #[error("`--ws-token-file` and `--ws-token-sha256` are mutually exclusive")]
    TwoTokens,
    /// No token.
    #[error(
        "`--ws-token-file` or `--ws-token-sha256` is required when `--ws-auth capability-token` is set"
    )]
    NoToken,
    /// Flags of the other mode.
    #[error(
        "`--ws-shared-secret-file`, `--ws-issuer`, `--ws-audience`, and `--ws-max-clock-skew-seconds` require `--ws-auth signed-bearer-token`"
    )]
    NotSigned,
    /// Flags of the other mode.
    #[error(
        "`--ws-token-file` and `--ws-token-sha256` require `--ws-auth capability-token`, not `signed-bearer-token`"
    )]
    NotToken,
    /// No secret.
    #[error("`--ws-shared-secret-file` is required when `--ws-auth signed-bearer-token` is set")]
    NoSecret,
    /// Not a digest.
    #[error("--ws-token-sha256 must be a 64-character hex SHA-256 digest")]
    NoDigest,
    /// More seconds than time has.
    #[error("websocket auth clock skew must fit in a signed 64-bit integer")]
    ClockSkew,
    /// The file can't be read.
    #[error("failed to read websocket auth secret {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds nothing.
    #[error("websocket auth secret {} must not be empty", .0.display())]
    Empty(PathBuf),
    /// A secret that could be guessed.
    #[error("signed websocket bearer secret {} must be at least 32 bytes", .0.display())]
    Short(PathBuf),
}

impl From<WebSocketAuthError> for LoadoutError {
    fn from(error: WebSocketAuthError) -> Self {
        let hint = match &error {
            WebSocketAuthError::Unreadable { .. }
            | WebSocketAuthError::Empty(_)
            | WebSocketAuthError::Short(_) => {
                "Write a long random text into it, as `openssl rand -hex 32` prints one, readable by its user alone."
            }
            WebSocketAuthError::NoDigest => "Give what `printf %s TOKEN | sha256sum` prints.",
            WebSocketAuthError::ClockSkew => "Give a number of seconds; without the flag it is 30.",
            _ => "`codex app-server --help` lists the flags of each mode.",
        };
        Self::new(ErrorKind::InvalidSelection, error.to_string()).with_hint(hint)
    }
}

/// What a client must show. Its secrets are in no output.
#[derive(Clone)]
pub enum WebSocketAuth {
    /// `Authorization: Bearer TOKEN`, with a token of this digest.
    CapabilityToken([u8; 32]),
    /// `Authorization: Bearer JWT`.
    SignedBearerToken {
        /// With what it is signed.
        secret: Vec<u8>,
        /// Its `iss`, if that is asked for.
        issuer: Option<String>,
        /// Its `aud`, if that is asked for.
        audience: Option<String>,
        /// By how many seconds clocks may differ.
        clock_skew: i64,
    },
}

impl fmt::Debug for WebSocketAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CapabilityToken(_) => "CapabilityToken",
            Self::SignedBearerToken { .. } => "SignedBearerToken",
        })
    }
}

impl WebSocketAuthFlags {
    /// Reads the files that are named; `None` if nothing is asked of clients.
    ///
    /// # Errors
    /// [`WebSocketAuthError`].
    pub fn read(self) -> Result<Option<WebSocketAuth>, WebSocketAuthError> {
        use WebSocketAuthError as Error;
        let has_token = self.ws_token_file.is_some() || self.ws_token_sha256.is_some();
        let has_signed = self.ws_shared_secret_file.is_some()
            || self.ws_issuer.is_some()
            || self.ws_audience.is_some()
            || self.ws_max_clock_skew_seconds.is_some();
        match self.ws_auth {
            None if has_token || has_signed => Err(Error::NoMode),
            None => Ok(None),
            Some(WebSocketAuthMode::CapabilityToken) if has_signed => Err(Error::NotSigned),
            Some(WebSocketAuthMode::CapabilityToken) => {
                let digest = match (self.ws_token_file, self.ws_token_sha256) {
                    (Some(_), Some(_)) => return Err(Error::TwoTokens),
                    (None, None) => return Err(Error::NoToken),
                    (Some(file), None) => Sha256::digest(secret(&file)?).into(),
                    (None, Some(digest)) => HEXLOWER_PERMISSIVE
                        .decode(digest.trim().as_bytes())
                        .ok()
                        .and_then(|digest| digest.try_into().ok())
                        .ok_or(Error::NoDigest)?,
                };
                Ok(Some(WebSocketAuth::CapabilityToken(digest)))
            }
            Some(WebSocketAuthMode::SignedBearerToken) if has_token => Err(Error::NotToken),
            Some(WebSocketAuthMode::SignedBearerToken) => {
                let file = self.ws_shared_secret_file.ok_or(Error::NoSecret)?;
                let secret = secret(&file)?.into_bytes();
                if secret.len() < SHORTEST_SECRET {
                    return Err(Error::Short(file));
                }
                let skew = self.ws_max_clock_skew_seconds.unwrap_or(DEFAULT_CLOCK_SKEW);
                Ok(Some(WebSocketAuth::SignedBearerToken {
                    secret,
                    issuer: said(self.ws_issuer),
                    audience: said(self.ws_audience),
                    clock_skew: i64::try_from(skew).map_err(|_| Error::ClockSkew)?,
                }))
            }
        }
    }
}

/// A name without space around it, if anything is left of it.
fn said(name: Option<String>) -> Option<String> {
    let name = name?.trim().to_owned();
    Some(name).filter(|name| !name.is_empty())
}

fn secret(file: &Path) -> Result<String, WebSocketAuthError> {
    let text = fs::read_to_string(file).map_err(|source| WebSocketAuthError::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    match text.trim() {
        "" => Err(WebSocketAuthError::Empty(file.to_owned())),
        secret => Ok(secret.to_owned()),
    }
}

impl WebSocketAuth {
    /// Looks at the header `Authorization`.
    ///
    /// # Errors
    /// Why it is not enough, in Codex's words; the status is 401.
    pub(crate) fn check(&self, authorization: Option<&[u8]>) -> Result<(), &'static str> {
        let token = bearer_token(authorization)?;
        match self {
            Self::CapabilityToken(digest) => {
                let found: [u8; 32] = Sha256::digest(token).into();
                match found.ct_eq(digest).into() {
                    true => Ok(()),
                    false => Err("invalid websocket bearer token"),
                }
            }
            Self::SignedBearerToken {
                secret,
                issuer,
                audience,
                clock_skew,
            } => {
                let claims = signed(token, secret).ok_or("invalid websocket jwt")?;
                claims.check(now(), issuer.as_deref(), audience.as_deref(), *clock_skew)
            }
        }
    }
}

fn bearer_token(authorization: Option<&[u8]>) -> Result<&str, &'static str> {
    const INVALID: &str = "invalid authorization header";
    let header = authorization.ok_or("missing websocket bearer token")?;
    let header = std::str::from_utf8(header).map_err(|_| INVALID)?;
    let (scheme, token) = header.split_once(' ').ok_or(INVALID)?;
    match token.trim() {
        "" => Err(INVALID),
        token if scheme.eq_ignore_ascii_case("Bearer") => Ok(token),
        _ => Err(INVALID),
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, rename = "typ")]
    _kind: Option<String>,
    #[serde(default, rename = "kid")]
    _key: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    nbf: Option<i64>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The claims of a JWT, if it is signed with this secret by HS256.
fn signed(token: &str, secret: &[u8]) -> Option<Claims> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(message.as_bytes());
    mac.verify_slice(&BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?)
        .ok()?;
    let header: Header = object(header)?;
    (header.alg == "HS256").then_some(())?;
    object(claims)
}

/// A part of a JWT. serde would take an array for a struct, too.
fn object<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let json = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
    let _: std::collections::HashMap<String, IgnoredAny> = serde_json::from_slice(&json).ok()?;
    serde_json::from_slice(&json).ok()
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.ok()
        .and_then(|now| i64::try_from(now.as_secs()).ok())
        .unwrap_or_default()
}

impl Claims {
    fn check(
        &self,
        now: i64,
        issuer: Option<&str>,
        audience: Option<&str>,
        skew: i64,
    ) -> Result<(), &'static str> {
        if now > self.exp.saturating_add(skew) {
            return Err("expired websocket jwt");
        }
        if self
            .nbf
            .is_some_and(|begin| now < begin.saturating_sub(skew))
        {
            return Err("websocket jwt is not valid yet");
        }
        if issuer.is_some() && self.iss.as_deref() != issuer {
            return Err("websocket jwt issuer mismatch");
        }
        let is_meant = |expected: &str| match &self.aud {
            Some(Audience::One(name)) => name == expected,
            Some(Audience::Many(names)) => names.iter().any(|name| name == expected),
            None => false,
        };
        match audience.is_none_or(is_meant) {
            true => Ok(()),
            false => Err("websocket jwt audience mismatch"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn jwt(header: &Value, claims: &str, secret: &[u8]) -> String {
        let message = format!(
            "{}.{}",
            BASE64URL_NOPAD.encode(header.to_string().as_bytes()),
            BASE64URL_NOPAD.encode(claims.as_bytes())
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(message.as_bytes());
        let signature = BASE64URL_NOPAD.encode(&mac.finalize().into_bytes());
        format!("Bearer {message}.{signature}")
    }

    fn signed_auth(issuer: Option<&str>, audience: Option<&str>) -> WebSocketAuth {
        WebSocketAuth::SignedBearerToken {
            secret: SECRET.to_owned(),
            issuer: issuer.map(str::to_owned),
            audience: audience.map(str::to_owned),
            clock_skew: 30,
        }
    }

    #[test]
    fn a_capability_token_is_compared_by_its_digest() {
        let auth = WebSocketAuth::CapabilityToken(Sha256::digest("tok").into());
        for (header, expected) in [
            (None, Err("missing websocket bearer token")),
            (Some("Bearer tok"), Ok(())),
            (Some("bEARER  tok "), Ok(())),
            (Some("Bearer toc"), Err("invalid websocket bearer token")),
            (Some("Bearer tok x"), Err("invalid websocket bearer token")),
            (Some(""), Err("invalid authorization header")),
            (Some("Bearer "), Err("invalid authorization header")),
            (Some("Bearer\ttok"), Err("invalid authorization header")),
            (Some("Basic tok"), Err("invalid authorization header")),
        ] {
            assert_eq!(
                auth.check(header.map(str::as_bytes)),
                expected,
                "{header:?}"
            );
        }
    }

    #[test]
    fn a_jwt_is_checked_as_codex_checks_it() {
        const INVALID: Result<(), &str> = Err("invalid websocket jwt");
        let strict = signed_auth(Some("me"), Some("you"));
        let lax = signed_auth(None, None);
        let hs256 = json!({ "alg": "HS256" });
        let good = json!({ "exp": now() + 99, "iss": "me", "aud": "you" });
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims.to_string()
        };
        let exp = now() + 99;
        for (claims, of_strict, of_lax) in [
            (good.to_string(), Ok(()), Ok(())),
            (with("aud", json!(["a", "you"])), Ok(()), Ok(())),
            (
                with("aud", json!("a")),
                Err("websocket jwt audience mismatch"),
                Ok(()),
            ),
            (
                with("aud", Value::Null),
                Err("websocket jwt audience mismatch"),
                Ok(()),
            ),
            (with("aud", json!(1)), INVALID, INVALID),
            (
                with("iss", json!("a")),
                Err("websocket jwt issuer mismatch"),
                Ok(()),
            ),
            (with("iss", json!(["me"])), INVALID, INVALID),
            (with("exp", json!(now() - 25)), Ok(()), Ok(())),
            (
                with("exp", json!(now() - 35)),
                Err("expired websocket jwt"),
                Err("expired websocket jwt"),
            ),
            (
                with("exp", json!(i64::MIN)),
                Err("expired websocket jwt"),
                Err("expired websocket jwt"),
            ),
            (with("exp", json!(i64::MAX)), Ok(()), Ok(())),
            (with("exp", json!(1e30)), INVALID, INVALID),
            (with("exp", json!("9")), INVALID, INVALID),
            (with("nbf", json!(now() + 25)), Ok(()), Ok(())),
            (with("nbf", Value::Null), Ok(()), Ok(())),
            (
                with("nbf", json!(now() + 40)),
                Err("websocket jwt is not valid yet"),
                Err("websocket jwt is not valid yet"),
            ),
            (
                json!({ "iss": "me", "aud": "you" }).to_string(),
                INVALID,
                INVALID,
            ),
            (format!(r#"{{"exp":1,"exp":{exp}}}"#), INVALID, INVALID),
            (format!("[{exp},null,\"me\",\"you\"]"), INVALID, INVALID),
            ("hello".to_owned(), INVALID, INVALID),
        ] {
            let header = jwt(&hs256, &claims, SECRET);
            assert_eq!(strict.check(Some(header.as_bytes())), of_strict, "{claims}");
            assert_eq!(lax.check(Some(header.as_bytes())), of_lax, "{claims}");
        }
        let good = good.to_string();
        for (header, accepted) in [
            (
                json!({ "alg": "HS256", "typ": "JWT", "kid": "x", "crit": ["b64"] }),
                true,
            ),
            (json!({ "alg": "none" }), false),
            (json!({ "alg": "HS512" }), false),
            (json!({ "alg": "HS256", "typ": 5 }), false),
            (json!({ "alg": "HS256", "kid": 5 }), false),
            (json!({ "typ": "JWT" }), false),
            (json!(["HS256", "JWT", "x"]), false),
        ] {
            let token = jwt(&header, &good, SECRET);
            assert_eq!(
                strict.check(Some(token.as_bytes())).is_ok(),
                accepted,
                "{header}"
            );
        }
        let token = jwt(&hs256, &good, SECRET);
        for (token, accepted) in [
            (token.clone(), true),
            (jwt(&hs256, &good, &[SECRET, b"\n"].concat()), false),
            (format!("{token}="), false),
            (format!("{token}.x"), false),
            (token.rsplit_once('.').unwrap().0.to_owned(), false),
            ("Bearer a".to_owned(), false),
        ] {
            assert_eq!(
                strict.check(Some(token.as_bytes())).is_ok(),
                accepted,
                "{token}"
            );
        }
    }

    #[test]
    fn flags_are_those_of_one_mode_and_secrets_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            Some(path)
        };
        let none = WebSocketAuthFlags::default();
        let token = WebSocketAuthFlags {
            ws_auth: Some(WebSocketAuthMode::CapabilityToken),
            ..none.clone()
        };
        let signed = WebSocketAuthFlags {
            ws_auth: Some(WebSocketAuthMode::SignedBearerToken),
            ..none.clone()
        };
        let long = file("long", " 0123456789abcdef0123456789abcdef\n");
        let digest = "1a7674eb4ee78df7e1ac439a93c3fa8e3c945784d4dec9fd8e3011738b2f1d62";
        assert!(none.clone().read().unwrap().is_none());
        for flags in [
            WebSocketAuthFlags {
                ws_token_file: file("tok", "\ttok\n"),
                ..token.clone()
            },
            WebSocketAuthFlags {
                ws_token_sha256: Some(format!(" {} ", digest.to_uppercase())),
                ..token.clone()
            },
        ] {
            let auth = flags.read().unwrap().unwrap();
            assert_eq!(auth.check(Some(b"Bearer tok")), Ok(()));
            assert_eq!(format!("{auth:?}"), "CapabilityToken");
        }
        let auth = WebSocketAuthFlags {
            ws_shared_secret_file: long.clone(),
            ws_issuer: Some(" ".into()),
            ..signed.clone()
        };
        let auth = auth.read().unwrap().unwrap();
        let header = jwt(
            &json!({ "alg": "HS256" }),
            &json!({ "exp": now() }).to_string(),
            SECRET,
        );
        assert_eq!(auth.check(Some(header.as_bytes())), Ok(()));
        assert_eq!(format!("{auth:?}"), "SignedBearerToken");
        for (flags, reason) in [
            (
                WebSocketAuthFlags {
                    ws_token_sha256: Some("x".into()),
                    ..none.clone()
                },
                "require `--ws-auth capability-token` or",
            ),
            (
                token.clone(),
                "is required when `--ws-auth capability-token`",
            ),
            (
                signed.clone(),
                "is required when `--ws-auth signed-bearer-token`",
            ),
            (
                WebSocketAuthFlags {
                    ws_token_file: long.clone(),
                    ws_token_sha256: Some(digest.into()),
                    ..token.clone()
                },
                "mutually exclusive",
            ),
            (
                WebSocketAuthFlags {
                    ws_token_sha256: Some("00".into()),
                    ..token.clone()
                },
                "64-character hex",
            ),
            (
                WebSocketAuthFlags {
                    ws_token_file: file("empty", " \n"),
                    ..token.clone()
                },
                "must not be empty",
            ),
            (
                WebSocketAuthFlags {
                    ws_token_file: Some(folder.path().join("none")),
                    ..token.clone()
                },
                "failed to read",
            ),
            (
                WebSocketAuthFlags {
                    ws_token_file: long.clone(),
                    ws_issuer: Some("x".into()),
                    ..token.clone()
                },
                "require `--ws-auth signed-bearer-token`",
            ),
            (
                WebSocketAuthFlags {
                    ws_shared_secret_file: long.clone(),
                    ws_token_file: long.clone(),
                    ..signed.clone()
                },
                "not `signed-bearer-token`",
            ),
            (
                WebSocketAuthFlags {
                    ws_shared_secret_file: file("short", "short"),
                    ..signed.clone()
                },
                "at least 32 bytes",
            ),
            (
                WebSocketAuthFlags {
                    ws_shared_secret_file: long,
                    ws_max_clock_skew_seconds: Some(u64::MAX),
                    ..signed
                },
                "64-bit",
            ),
        ] {
            let error = LoadoutError::from(flags.read().unwrap_err());
            assert!(error.message.contains(reason), "{error}");
            assert!(!error.hint.is_empty());
        }
    }
}
