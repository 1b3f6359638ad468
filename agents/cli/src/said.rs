//! An error in the words that a person needs.

/// Its causes in their order. What an apiserver says ends it: behind that come the same words as a program reads them.
pub(crate) fn said(error: &anyhow::Error) -> String {
    let mut words = Vec::new();
    for cause in error.chain() {
        if let Some(kube::Error::Api(status)) = cause.downcast_ref() {
            words.push(status.message.clone());
            break;
        }
        words.push(cause.to_string());
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn an_apiservers_words_are_said_once() {
        let refused = kube::core::Status::failure("bob may not", "Forbidden").with_code(403);
        let error =
            Err::<(), _>(kube::Error::Api(refused.boxed())).context("reading the budget").unwrap_err();
        assert_eq!(said(&error), "reading the budget: bob may not");
        assert_eq!(said(&anyhow::anyhow!("plain")), "plain");
    }
}
