"""Where the platform's data comes from: one connector for each kind of source, one function that receives from them."""
