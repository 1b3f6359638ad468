mod changes;
mod failures;
mod outputs;
