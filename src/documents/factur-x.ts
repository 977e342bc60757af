/** What makes a PDF a Factur-X file: its XML embedded, and metadata that say so (Factur-X 1.0, PDF/A-3). */
import { invariant } from '../domain/failure.js';

/** The same bytes for the same XML: the file is as old as the document. */
export function embedFacturX(doc: PDFKit.PDFDocument, xml: string, issued: Date): void {
  const attachment = {
    name: 'factur-x.xml',
    type: 'application/xml',
    description: 'The invoice as UN/CEFACT CII (EN 16931)',
    // Not among the types of the library: the XML says what the document says.
    relationship: 'Alternative',
    creationDate: issued,
    modifiedDate: issued,
  };
  doc.file(Buffer.from(xml, 'utf8'), attachment);
  doc.appendXML(facturXMetadata);
}

const property = (name: string, what: string): string => `
                <rdf:li rdf:parseType="Resource">
                  <pdfaProperty:name>${name}</pdfaProperty:name>
                  <pdfaProperty:valueType>Text</pdfaProperty:valueType>
                  <pdfaProperty:category>external</pdfaProperty:category>
                  <pdfaProperty:description>${what}</pdfaProperty:description>
                </rdf:li>`;

const facturXMetadata = `
        <rdf:Description rdf:about="" xmlns:fx="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#">
          <fx:DocumentType>INVOICE</fx:DocumentType>
          <fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>
          <fx:Version>1.0</fx:Version>
          <fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>
        </rdf:Description>
        <rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
          <pdfaExtension:schemas>
            <rdf:Bag>
              <rdf:li rdf:parseType="Resource">
                <pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>
                <pdfaSchema:namespaceURI>urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#</pdfaSchema:namespaceURI>
                <pdfaSchema:prefix>fx</pdfaSchema:prefix>
                <pdfaSchema:property>
                  <rdf:Seq>${property('DocumentFileName', 'name of the embedded XML invoice file')}${property('DocumentType', 'INVOICE')}${property('Version', 'version of the Factur-X XML schema')}${property('ConformanceLevel', 'conformance level of the embedded XML')}
                  </rdf:Seq>
                </pdfaSchema:property>
              </rdf:li>
            </rdf:Bag>
          </pdfaExtension:schemas>
        </rdf:Description>`;

/** PDFKit writes what it knows of the document into XML as it stands: a name with an ampersand would break it. */
export function escapeMetadata(doc: PDFKit.PDFDocument): void {
  const own = doc as unknown as { _addInfo?: () => void; info: Record<string, unknown> };
  const addInfo = own._addInfo;
  invariant(typeof addInfo === 'function', 'the PDF library no longer writes its metadata where this can be mended');
  own._addInfo = () => {
    const plain = own.info;
    const escaped = Object.entries(plain).map(([name, value]) => [
      name,
      typeof value === 'string' ? xmlText(value) : value,
    ]);
    own.info = Object.fromEntries(escaped) as Record<string, unknown>;
    addInfo.call(doc);
    own.info = plain;
  };
}

const xmlText = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
