"""The playground: a page that runs plugins in the browser, with this package inside Pyodide.

`page/` is the page: HTML, CSS and JavaScript modules, as they are served. `workbench` is what runs
inside the page's web worker, and `debugging` what its Debug tab asks there. `site` lists the files
of the page, `server` serves them.
"""
