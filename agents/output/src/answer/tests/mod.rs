mod extracts;
mod forms;
mod repairs;
