mod dependencies;
mod files;
mod licences;
mod reports;
mod secrets;
mod support;
