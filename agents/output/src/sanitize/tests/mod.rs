mod benign;
mod hostile;
mod properties;
