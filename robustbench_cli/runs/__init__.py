"""What lies on disk, and how it is read again; needs no torch.

run            a *run*: the directory of one network, with its config, weights and history
evaluation     an *evaluation*: what one attack did to every sample (rows), and its *record* (JSON)
analysed       what one analysis found: a table, and the numbers that sum it up
parts          finished chunks of unfinished work, so that a killed command goes on where it was
data_identity  are the data still those that a run was made with?
hub            networks of the Hugging Face hub, its cache, and folders from it
robustbench    the zoo of RobustBench: networks, where their weights are, published accuracies
provenance     versions and commit, for every record
"""
