//! What the record promises, and every way of tampering we could think of.

mod canonical_form;
mod chains;
mod exports;
mod support;
