"""The first look at a model, from its file to where it should run: the steps of `opdeploy try`."""
