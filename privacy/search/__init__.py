"""How classes are found over the small cube: by cuts in many dimensions, or by one level for each column."""
