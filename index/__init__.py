"""Remember what is protected: works, their rights, and the vectors of their frames."""
