//! CRLs, intermediate certificates and OCSP responses over HTTP.

use std::fmt;
use std::io::Read as _;
use std::time::Duration;

/// The most that one fetch may bring: real CRLs reach some 60 MiB.
pub const MAX_BODY: u64 = 128 * 1024 * 1024;

/// Fetches an `http://` URL, as RFC 5280 section 4.2.1.13 names them for CRLs; with `post`, sends that as an
/// OCSP request (RFC 6960 appendix A) and fetches the response.
///
/// Follows redirects, ends after `timeout`, and refuses a body larger than [`MAX_BODY`]. What is fetched is
/// protected by its own signature, which is why plain HTTP serves.
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn f() -> Result<(), adit::tokio::FetchError> {
/// let crl = adit::tokio::fetch("http://crl.example/ca.crl", None, Duration::from_secs(10)).await?;
/// # Ok(()) }
/// ```
pub async fn fetch(
    url: &str,
    post: Option<Vec<u8>>,
    timeout: Duration,
) -> Result<Vec<u8>, FetchError> {
    let url = url.to_owned();
    let error = |reason: String, url: &str| FetchError { url: url.to_owned(), reason };
    let shown = url.clone();
    let work = tokio::task::spawn_blocking(move || get(&url, post, timeout));
    match work.await {
        Ok(result) => result.map_err(|reason| error(reason, &shown)),
        Err(join) => Err(error(join.to_string(), &shown)),
    }
}

fn get(url: &str, post: Option<Vec<u8>>, timeout: Duration) -> Result<Vec<u8>, String> {
    if !url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://")) {
        return Err("only http:// is fetched here".to_owned());
    }
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(timeout)).build().into();
    let response = match post {
        None => agent.get(url).call(),
        Some(request) => {
            agent.post(url).content_type("application/ocsp-request").send(&request[..])
        }
    };
    let mut response = response.map_err(|e| e.to_string())?;
    let mut body = Vec::new();
    let limited = response.body_mut().as_reader().take(MAX_BODY + 1).read_to_end(&mut body);
    limited.map_err(|e| e.to_string())?;
    if body.len() as u64 > MAX_BODY {
        return Err(format!("more than {MAX_BODY} bytes"));
    }
    Ok(body)
}

/// Why a URL could not be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchError {
    url: String,
    reason: String,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.reason)
    }
}

impl std::error::Error for FetchError {}
