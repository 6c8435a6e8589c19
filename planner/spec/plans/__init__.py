"""Plan files and the libraries they import, scenario by scenario, to cases."""
